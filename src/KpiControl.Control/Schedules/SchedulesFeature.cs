namespace KpiControl.Control.Schedules;

internal static class SchedulesFeature
{
    public static IServiceCollection AddSchedules(this IServiceCollection services) => services
        .AddSingleton<ExpiryStore>()
        .AddHostedService<PauseExpiry>();
}
