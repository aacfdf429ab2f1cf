namespace KpiControl.Control.Runs;

internal static class RunsFeature
{
    public static IServiceCollection AddRunReads(this IServiceCollection services) => services
        .AddSingleton<RunHistory>()
        .AddSingleton<SchedulePreview>()
        .AddSingleton<OccurrenceExplanation>()
        .AddSingleton<JobWatch>()
        .AddSingleton<RunReads>();
}
