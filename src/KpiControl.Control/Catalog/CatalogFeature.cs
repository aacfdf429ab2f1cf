namespace KpiControl.Control.Catalog;

internal static class CatalogFeature
{
    public static void MapCatalog(this IEndpointRouteBuilder routes) => routes.MapGrpcService<CatalogService>();
}
