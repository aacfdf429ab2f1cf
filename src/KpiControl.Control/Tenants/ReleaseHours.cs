using System.Globalization;
using System.Text.Json;
using KpiControl.Jobs.Schedules;

namespace KpiControl.Control.Tenants;

/// <summary>When a policy allows releases: inside of its windows (none: at any time), and in no freeze. Pure.</summary>
internal sealed class ReleaseHours
{
    private static readonly JsonSerializerOptions Words = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly IReadOnlyList<WeeklyWindow> windows;
    private readonly IReadOnlyList<Freeze> freezes;
    private readonly string windowWords;

    /// <param name="windows">Valid ones, as every stored one is.</param>
    public ReleaseHours(IReadOnlyList<ReleaseWindow> windows, IReadOnlyList<Freeze> freezes)
    {
        this.windows = [.. windows.Select(window => WeeklyWindow.Read(window.Days, window.From, window.To, window.Timezone, out var mistake)
            ?? throw new InvalidOperationException($"A release window that was stored cannot be read: {mistake.Part} {mistake.Message}."))];
        this.freezes = freezes;
        windowWords = string.Join(" or ", windows.Select(window => window.ToString()));
    }

    /// <summary>As a policy's document has them; null: none.</summary>
    public static ReleaseHours Of(string? windows, string? freezes) => new(ReadWindows(windows), ReadFreezes(freezes));

    public static IReadOnlyList<ReleaseWindow> ReadWindows(string? json) => json is null ? [] : JsonSerializer.Deserialize<List<ReleaseWindow>>(json, Words)!;

    public static IReadOnlyList<Freeze> ReadFreezes(string? json) => json is null ? [] : JsonSerializer.Deserialize<List<Freeze>>(json, Words)!;

    /// <summary>What keeps a release back at an instant; null where nothing does.</summary>
    public ReleaseHold? HoldAt(DateTimeOffset now)
    {
        if (FreezeAt(now) is { } freeze)
            return new ReleaseHold("FREEZE", $"the freeze from {Text(freeze.From)} until {Text(freeze.Until)} ({freeze.Reason})", NextFrom(now));
        return FirstInside(now) == now ? null : new ReleaseHold("CHANGE_WINDOW", $"the release windows ({windowWords})", NextFrom(now));
    }

    // Each turn ends a freeze or reaches a window, and after the last freeze a window stays open.
    private DateTimeOffset? NextFrom(DateTimeOffset now)
    {
        DateTimeOffset? at = now;
        while (at is { } instant)
        {
            at = FreezeAt(instant) is { } freeze ? freeze.Until : FirstInside(instant);
            if (at == instant)
                return at;
        }
        return null;
    }

    private Freeze? FreezeAt(DateTimeOffset instant) => freezes.Where(freeze => freeze.From <= instant && instant < freeze.Until).MaxBy(freeze => freeze.Until);

    private DateTimeOffset? FirstInside(DateTimeOffset instant) => windows.Count == 0 ? instant : windows.Min(window => window.FirstInside(instant));

    public static string Text(DateTimeOffset instant) => instant.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}

/// <summary>Why nothing may be released, and from when on it may.</summary>
/// <param name="Reason">FREEZE or CHANGE_WINDOW.</param>
/// <param name="By">In words, as in "the freeze …".</param>
/// <param name="Until">The next instant that no freeze and no window forbids; null where there is none to be seen.</param>
internal sealed record ReleaseHold(string Reason, string By, DateTimeOffset? Until);

/// <summary>Releases happen within these.</summary>
internal sealed record ReleaseWindow
{
    /// <summary><c>mon</c> to <c>sun</c>, in this order; none: every day.</summary>
    public IReadOnlyList<string> Days { get; init; } = [];
    public required string From { get; init; }
    public required string To { get; init; }
    public required string Timezone { get; init; }

    public override string ToString() => $"{(Days.Count > 0 ? string.Join(",", Days) : "daily")} {From}-{To} {Timezone}";
}

/// <summary>No release from an instant until another.</summary>
internal sealed record Freeze
{
    public DateTimeOffset From { get; init; }
    public DateTimeOffset Until { get; init; }
    public required string Reason { get; init; }
}
