using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Cronos;

namespace KpiControl.Jobs.Schedules;

/// <summary>Turns an author's expression into Cronos's; the one place that meets its exceptions.</summary>
internal static class CronText
{
    /// <summary>Longer than any meaningful expression; keeps hostile ones from costing anything.</summary>
    private const int LongestExpression = 256;

    /// <param name="identity">What <c>H</c> is a hash of.</param>
    public static CronExpression? Parse(string text, string identity, out string? error)
    {
        error = null;
        var fields = text.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        if (text.Length > LongestExpression)
            error = $"the cron expression is longer than {LongestExpression} characters";
        else if (fields.Length == 0)
            error = "the cron expression is empty";
        else if (fields[0][0] == '@' ? fields.Length != 1 : fields.Length is not (5 or 6))
            error = $"the cron expression '{text}' has {fields.Length} fields; it takes five, six with seconds first, or one macro such as @daily";
        return error is null ? Parse(text, fields, identity, out error) : null;
    }

    // Cronos's own TryParse catches the same exception and drops what it says, so this catches it and keeps the words.
    private static CronExpression? Parse(string text, string[] fields, string identity, out string? error)
    {
        error = null;
        try
        {
            var format = fields.Length == 6 ? CronFormat.IncludeSeconds : CronFormat.Standard;
            var exact = string.Join(' ', fields);
            return UsesHash(fields) ? CronExpression.Parse(exact, format, Seed(identity)) : CronExpression.Parse(exact, format);
        }
        catch (FormatException refused)
        {
            var reason = refused.Message.Replace("The given cron expression has an invalid format.", "", StringComparison.Ordinal).Trim();
            error = $"'{text}' is not a cron expression: {reason}";
            return null;
        }
    }

    /// <summary>Whether the times of day are an interval, which a clock change does not stop, or named ones: Cronos's own distinction.</summary>
    public static bool IsInterval(string text)
    {
        var fields = text.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        return fields is [var macro]
            ? macro.StartsWith("@every", StringComparison.OrdinalIgnoreCase) || macro.Equals("@hourly", StringComparison.OrdinalIgnoreCase)
            : fields[..^3].Any(field => field.AsSpan().IndexOfAny('*', '/', '-') >= 0);
    }

    // With a seed, Cronos also moves the macros: @daily would no longer be midnight.
    private static bool UsesHash(string[] fields) =>
        fields.Length > 1 && fields.Any(field => field.StartsWith('H') || field.StartsWith('h'));

    private static int Seed(string identity) =>
        BinaryPrimitives.ReadInt32BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(identity))) & int.MaxValue;
}
