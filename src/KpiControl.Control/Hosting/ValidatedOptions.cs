namespace KpiControl.Control.Hosting;

internal static class ValidatedOptions
{
    /// <summary>Binds a section and refuses to start with a bad one, all mistakes at once.</summary>
    public static IServiceCollection AddValidated<TOptions>(this IServiceCollection services, string section) where TOptions : class
    {
        services.AddOptions<TOptions>().BindConfiguration(section).ValidateDataAnnotations().ValidateOnStart();
        return services;
    }
}
