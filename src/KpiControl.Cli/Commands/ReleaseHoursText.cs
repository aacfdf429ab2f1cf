using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Commands;

/// <summary>Windows and freezes as people type and read them.</summary>
internal static class ReleaseHoursText
{
    private const string Hint = "give days, a range and a zone: --window 'mon-fri 09:00-16:00 Europe/Berlin', 'sat,sun 22:00-04:00 UTC' or 'daily 09:00-16:00 UTC'";

    private static readonly string[] Week = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    /// <summary>The form is looked at here; times and zone are the server's to judge.</summary>
    public static ReleaseWindow Window(string text)
    {
        var parts = text.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (parts.Length != 3 || parts[1].Split('-') is not [var from, var to])
            throw new Refusal($"--window '{text}' is not a window", Hint);
        var window = new ReleaseWindow { From = from, To = to, Timezone = parts[2] };
        if (parts[0] != "daily")
            window.Days.AddRange(parts[0].Split(',').SelectMany(Days));
        return window;
    }

    public static void WriteTo(TextWriter to, TenantPolicy policy)
    {
        foreach (var window in policy.ReleaseWindows)
            to.WriteLine($"{policy.Tenant}/{policy.Environment}: releases {(window.Days.Count > 0 ? string.Join(',', window.Days) : "daily")} {window.From}-{window.To} {window.Timezone}");
        foreach (var freeze in policy.Freezes)
            to.WriteLine($"{policy.Tenant}/{policy.Environment}: frozen from {Ages.Absolute(freeze.From)} until {Ages.Absolute(freeze.Until)}: {Talk.OneLine(freeze.Reason)}");
    }

    /// <summary>What keeps a release back, and until when; empty where nothing does.</summary>
    public static string Held(string by, Google.Protobuf.WellKnownTypes.Timestamp? releasableFrom) =>
        by.Length == 0 ? "" : $"held back by {Talk.OneLine(by)}; {(releasableFrom is null ? "no instant at which it may be released is in sight" : $"may be released from {Ages.Absolute(releasableFrom)} on")}";

    private static IEnumerable<string> Days(string text)
    {
        var ends = text.Split('-');
        var (first, last) = (Array.IndexOf(Week, ends[0]), Array.IndexOf(Week, ends[^1]));
        if (ends.Length > 2 || first < 0 || last < 0)
            throw new Refusal($"--window: '{text}' are no days of the week", Hint);
        // sat-mon goes over the week's end.
        return Enumerable.Range(first, (last - first + 7) % 7 + 1).Select(day => Week[day % 7]);
    }
}
