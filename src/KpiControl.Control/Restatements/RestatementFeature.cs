using KpiControl.Control.Hosting;

namespace KpiControl.Control.Restatements;

internal static class RestatementFeature
{
    public static IServiceCollection AddRestatements(this IServiceCollection services)
    {
        services.AddValidated<RestatementOptions>(RestatementOptions.Section);
        services.AddSingleton<OfferStore>().AddHostedService<RestatementOffers>();
        return services;
    }

    public static void MapRestatements(this IEndpointRouteBuilder routes) => routes.MapGrpcService<RestatementService>();
}
