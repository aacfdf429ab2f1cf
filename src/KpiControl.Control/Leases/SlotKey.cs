using System.Globalization;

namespace KpiControl.Control.Leases;

/// <summary>
/// Names an occurrence within its binding for ever: <c>schedule:2026-01-02T02:00:00Z</c>. A slot that is caught up with keeps
/// its name: it is the same slot, and a warehouse that saw it knows it again.
/// </summary>
internal readonly record struct SlotKey(string Kind, DateTimeOffset ScheduledFor)
{
    private static readonly string[] Kinds = ["schedule", "event", "manual", "replay", "backfill", "restatement"];

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Kind}:{ScheduledFor.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'}");

    public static SlotKey? Parse(string text)
    {
        var at = text.IndexOf(':', StringComparison.Ordinal);
        return at > 0 && Kinds.Contains(text[..at])
            && DateTimeOffset.TryParse(text[(at + 1)..], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var instant)
            ? new SlotKey(text[..at], instant) : null;
    }
}
