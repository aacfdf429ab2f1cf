using System.Globalization;

namespace KpiControl.Jobs.Artifacts.Text;

/// <summary>Numbers that mean the same to every reader: those whose decimal value a double gives back.</summary>
internal static class NumberText
{
    /// <param name="literal">Decimal: sign, digits, point, exponent, in YAML's or JSON's grammar.</param>
    /// <param name="value">The double.</param>
    /// <returns>Whether writing the double out again gives the number that was written.</returns>
    public static bool TryRead(string literal, out double value)
    {
        var read = double.TryParse(literal, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
        if (!read || !double.IsFinite(value)) return false;
        return Significant(literal) == Significant(value.ToString("R", CultureInfo.InvariantCulture));
    }

    /// <summary>A number's digits without outer zeros, and the power of ten of the last one.</summary>
    public static (string Digits, long Exponent) Significant(ReadOnlySpan<char> literal)
    {
        var e = literal.IndexOfAny('e', 'E');
        var mantissa = (e < 0 ? literal : literal[..e]).TrimStart("+-");
        var point = mantissa.IndexOf('.');
        var fraction = point < 0 ? 0 : mantissa.Length - point - 1;
        var digits = string.Concat(mantissa.ToString().Split('.')).TrimStart('0');
        var kept = digits.TrimEnd('0');
        if (kept.Length == 0) return ("0", 0);
        // An exponent that no long holds belongs to a number that is no finite double, or to one that became zero.
        var exponent = e < 0 ? 0 : long.TryParse(literal[(e + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var x) ? x : long.MinValue / 2;
        return (kept, exponent - fraction + (digits.Length - kept.Length));
    }
}
