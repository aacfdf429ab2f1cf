using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace KpiControl.Testing.Stores;

/// <summary>A server on loopback that speaks a store's documented interface; what it is to answer is said by its owner.</summary>
public sealed class StoreServer : IAsyncDisposable
{
    private readonly WebApplication app;

    private StoreServer(WebApplication app) => this.app = app;

    public string Url => app.Urls.Single();

    public static async Task<StoreServer> StartAsync(RequestDelegate answer, X509Certificate2? certificate = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            if (certificate is not null)
                listen.UseHttps(certificate);
        }));
        var app = builder.Build();
        app.Run(answer);
        await app.StartAsync();
        return new StoreServer(app);
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
