using KpiControl.Control.Tests.Leases;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Sla;

/// <summary>Jobs with promises, on nodes that look often.</summary>
internal static class SlaWorld
{
    public static readonly (string Key, string Value)[] Often = [("Sla:SweepEvery", "00:00:00.1")];

    public static Task<LeaseWorld> StartAsync(params (string Key, string Value)[] settings) => LeaseWorld.StartAsync([.. Often.ExceptBy(settings.Select(s => s.Key), s => s.Key), .. settings]);

    /// <summary>A job whose next slot is far away, so that nothing runs but what a test triggers.</summary>
    public static async Task<long> PromisedAsync(this LeaseWorld world, string sla, string jobId = "promised", string? cron = null, string more = "", CancellationToken token = default) =>
        (await world.Node.CreateSimpleAsync(token, jobId, cron ?? ByTheClock.Yearly, $"sla: {sla}\n{more}")).BindingId;

    /// <summary>Until the sweep has computed what the job's clocks wait for.</summary>
    public static Task PlannedAsync(this LeaseWorld world, long binding) =>
        world.UntilAsync("SELECT bool_and(NOT replan) FROM kpi_sla_clock WHERE binding_id = @binding", new { binding });

    /// <summary>Time passes: everything that the job's clocks know happened so much earlier.</summary>
    public static Task PassAsync(this LeaseWorld world, long binding, string interval) => world.ExecuteAsync(
        """
        UPDATE kpi_job_runtime SET good_through = good_through - @interval::interval, last_run_at = last_run_at - @interval::interval WHERE binding_id = @binding;
        UPDATE kpi_sla_clock SET due_at = due_at - @interval::interval, armed_at = armed_at - @interval::interval, warn_at = warn_at - @interval::interval,
               breach_at = breach_at - @interval::interval, needs = needs - @interval::interval WHERE binding_id = @binding
        """, new { binding, interval });

    public static Task<string> EpisodesAsync(this LeaseWorld world, long binding) => world.OneAsync<string>(
        """
        SELECT coalesce(string_agg(clock || CASE WHEN breached_at IS NULL THEN ' warned' ELSE ' breached' END || coalesce(' ' || resolution, ''), ', ' ORDER BY episode_id), '')
          FROM kpi_sla_episode WHERE binding_id = @binding
        """, new { binding });
}
