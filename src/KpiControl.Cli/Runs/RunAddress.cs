using System.Globalization;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Runs;

/// <summary>Which run: <c>run/12</c>, or the attempt's UUID.</summary>
internal static class RunAddress
{
    public static GetRunRequest? Of(string text)
    {
        if (Guid.TryParseExact(text, "D", out _))
            return new GetRunRequest { AttemptId = text };
        if (!text.StartsWith("run/", StringComparison.Ordinal))
            return null;
        return Number(text["run/".Length..])
            ?? throw new Refusal($"'{text}' names no run", "give run/ID with the number that kpictl runs shows");
    }

    public static GetRunRequest? Number(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id > 0 ? new GetRunRequest { RunId = id } : null;

    public static string Name(Run run) => string.Create(CultureInfo.InvariantCulture, $"run/{run.RunId}");
}
