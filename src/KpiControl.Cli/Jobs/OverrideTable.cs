using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Jobs;

/// <summary>What stands over jobs' definitions, or stood.</summary>
internal static class OverrideTable
{
    /// <summary>Of one job's page.</summary>
    public static void Section(Surroundings world, IReadOnlyCollection<Override> overrides, DateTimeOffset now)
    {
        if (overrides.Count == 0)
            return;
        Sheet.Heading(world, "OVERRIDES");
        var table = new TextTable("KIND", "VALUE", "UNTIL", "BY", "REASON");
        foreach (var one in overrides)
            table.Row(one.Kind, JobTable.Dash(one.Value), Until(one, now), one.CreatedBy, JobTable.Dash(one.Reason));
        table.WriteTo(world);
    }

    public static void Print(Surroundings world, IReadOnlyCollection<Override> overrides, bool wide)
    {
        var now = world.Clock.GetUtcNow();
        var table = wide ? new TextTable("OVERRIDE", "BINDING", "JOB", "KIND", "VALUE", "SET", "UNTIL", "BY", "REASON", "ENDED", "ENDING").Numeric(0, 1)
            : new TextTable("JOB", "KIND", "VALUE", "UNTIL", "BY", "REASON", "ENDED");
        foreach (var one in overrides)
            if (wide)
                table.Row(one.OverrideId == 0 ? "-" : one.OverrideId, one.BindingId, JobOf(one), one.Kind, JobTable.Dash(one.Value), Ages.Absolute(one.CreatedAt),
                    one.ExpiresAt is null ? one.Kind == "tweak" ? "applied" : "resumed" : Ages.Absolute(one.ExpiresAt), one.CreatedBy, JobTable.Dash(one.Reason), Ages.Absolute(one.EndedAt), JobTable.Dash(Ending(one)));
            else
                table.Row(JobOf(one), one.Kind, JobTable.Dash(one.Value), Until(one, now), one.CreatedBy, JobTable.Dash(one.Reason), one.EndedAt is null ? "-" : one.Ending);
        table.WriteTo(world);
    }

    public static string JobOf(Override one) => $"{one.Tenant}/{one.Environment}/{one.JobId}";

    public static string Until(Override one, DateTimeOffset now) => one.ExpiresAt is null ? one.Kind == "tweak" ? "until applied" : "until resumed" : Ages.Both(one.ExpiresAt, now);

    private static string Ending(Override one) => one.EndedAt is null ? "" : one.EndReason.Length > 0 && one.EndReason != one.Ending ? $"{one.Ending} by {one.EndedBy}: {one.EndReason}" : $"{one.Ending} by {one.EndedBy}";
}
