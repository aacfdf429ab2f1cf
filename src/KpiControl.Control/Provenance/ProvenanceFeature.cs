namespace KpiControl.Control.Provenance;

internal static class ProvenanceFeature
{
    public static IServiceCollection AddLineage(this IServiceCollection services) => services
        .AddSingleton<LineageReads>()
        .AddSingleton<SourceIndexStore>()
        .AddSingleton<SourceIndex>();
}
