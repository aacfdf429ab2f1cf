using System.Buffers;
using System.Globalization;

namespace KpiControl.Jobs.Artifacts.Text;

/// <summary>What a plain scalar is in the core schema of YAML 1.2 (its section 10.3.2): yes, no, on and off are text.</summary>
internal static class YamlScalars
{
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdefABCDEF");
    private static readonly SearchValues<char> OctalDigits = SearchValues.Create("01234567");

    public static NodeKind KindOf(string plain) => plain switch
    {
        "" or "~" or "null" or "Null" or "NULL" => NodeKind.Null,
        "true" or "True" or "TRUE" or "false" or "False" or "FALSE" => NodeKind.Boolean,
        _ => IsNumber(plain) ? NodeKind.Number : NodeKind.String,
    };

    /// <summary>False for what no JSON number is (.inf, .nan) and for what a double does not keep.</summary>
    public static bool TryNumber(string plain, out double value)
    {
        if (plain.StartsWith("0x", StringComparison.Ordinal)) return TryInteger(plain[2..], 16, out value);
        if (plain.StartsWith("0o", StringComparison.Ordinal)) return TryInteger(plain[2..], 8, out value);
        return NumberText.TryRead(plain, out value);
    }

    private static bool TryInteger(string digits, int radix, out double value)
    {
        var whole = 0L;
        foreach (var digit in digits)
        {
            whole = (whole * radix) + int.Parse([digit], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (whole > 1L << 53) break;
        }

        value = whole;
        return whole <= 1L << 53;
    }

    private static bool IsNumber(string plain)
    {
        if (plain.StartsWith("0x", StringComparison.Ordinal)) return plain.Length > 2 && plain.AsSpan(2).IndexOfAnyExcept(HexDigits) < 0;
        if (plain.StartsWith("0o", StringComparison.Ordinal)) return plain.Length > 2 && plain.AsSpan(2).IndexOfAnyExcept(OctalDigits) < 0;
        var unsigned = plain.AsSpan(plain[0] is '+' or '-' ? 1 : 0);
        return unsigned is ".inf" or ".Inf" or ".INF" || plain is ".nan" or ".NaN" or ".NAN" || IsDecimal(unsigned);
    }

    private static bool IsDecimal(ReadOnlySpan<char> text)
    {
        var whole = Digits(ref text);
        var fraction = 0;
        if (text is ['.', ..])
        {
            text = text[1..];
            fraction = Digits(ref text);
        }

        if (whole + fraction == 0) return false;
        if (text is not ['e' or 'E', ..]) return text.IsEmpty;
        text = text[(text is [_, '+' or '-', ..] ? 2 : 1)..];
        return Digits(ref text) > 0 && text.IsEmpty;
    }

    private static int Digits(ref ReadOnlySpan<char> text)
    {
        var end = text.IndexOfAnyExceptInRange('0', '9');
        var count = end < 0 ? text.Length : end;
        text = text[count..];
        return count;
    }
}
