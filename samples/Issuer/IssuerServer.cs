namespace KpiControl.Samples.Issuer;

/// <summary>Serves what a verifier looks up: the discovery document and the public keys.</summary>
internal static class IssuerServer
{
    /// <param name="keys">The public halves of what signs the tokens.</param>
    /// <param name="port">0 lets the system choose.</param>
    public static async Task<WebApplication> StartAsync(Func<object> keys, int port, CancellationToken token)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");

        var app = builder.Build();
        app.MapGet("/.well-known/openid-configuration", () =>
        {
            var issuer = Url(app);
            return new
            {
                issuer,
                jwks_uri = $"{issuer}/jwks",
                id_token_signing_alg_values_supported = new[] { "RS256" },
                response_types_supported = new[] { "token" },
                subject_types_supported = new[] { "public" },
            };
        });
        app.MapGet("/jwks", keys);
        await app.StartAsync(token);
        return app;
    }

    public static string Url(WebApplication app) => app.Urls.Single();
}
