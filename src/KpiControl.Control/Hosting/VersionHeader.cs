using System.Reflection;

namespace KpiControl.Control.Hosting;

/// <summary>Every answer says which build gave it: <c>kpictl version</c> reads it from the health call.</summary>
internal static class VersionHeader
{
    private static readonly string Version =
        typeof(VersionHeader).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    public static void UseVersionHeader(this WebApplication app) => app.Use((context, next) =>
    {
        context.Response.Headers["kpi-control-version"] = Version;
        return next(context);
    });
}
