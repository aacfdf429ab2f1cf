using System.Globalization;

namespace KpiControl.Cli.Output;

/// <summary>One cell: text that cannot drive a terminal, and its colour where there is one.</summary>
internal readonly record struct Cell
{
    public Cell(string? text, string? style = null)
    {
        Text = Talk.OneLine(text ?? "");
        Style = style;
    }

    public string Text { get; }
    public string? Style { get; }

    public static implicit operator Cell(string? text) => new(text);
    public static implicit operator Cell(long number) => new(number.ToString(CultureInfo.InvariantCulture));

    /// <summary>A status in its colour.</summary>
    public static Cell Status(string status) => new(status, status switch
    {
        "success" or "active" or "live" or "succeeded" or "passed" or "idle" or "created" or "pass" or "resolved" or "ok" or "in_sync" => "green",
        "failed" or "lost" or "error" or "retired" or "refused" or "breach" or "failing" or "invalid" or "unreadable" => "red",
        "partial" or "suppressed" or "cancelled" or "skipped" or "paused" or "silent" or "waiting" or "warning" or "deprecated" or "warn" or "drifted" or "missing" or "orphaned" or "overridden" => "yellow",
        "running" or "leased" or "ready" or "pending_write" or "rebound" or "updated" => "blue",
        _ => null,
    });
}
