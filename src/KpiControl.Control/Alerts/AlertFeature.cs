using KpiControl.Control.Alerts.Sending;
using KpiControl.Control.Hosting;

namespace KpiControl.Control.Alerts;

internal static class AlertFeature
{
    public static IServiceCollection AddAlerts(this IServiceCollection services)
    {
        services.AddValidated<AlertOptions>(AlertOptions.Section);
        services.AddSingleton<SlaReads>().AddSingleton<RunNoticeStore>().AddSingleton<MessageStore>().AddSingleton<AlertHttp>().AddSingleton<AlertMetrics>().AddSingleton<AlertSettings>()
            .AddSingleton<IAlertSender, EmailSender>().AddSingleton<IAlertSender, SlackSender>().AddSingleton<IAlertSender, OpsgenieSender>()
            .AddSingleton<IAlertSender, PagerDutySender>().AddSingleton<IAlertSender, WebhookSender>();
        services.AddHostedService<AlertDispatcher>();
        return services;
    }

    public static void MapAlerts(this IEndpointRouteBuilder routes) => routes.MapGrpcService<AlertService>();
}
