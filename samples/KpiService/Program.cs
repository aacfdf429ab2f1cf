using KpiControl.Samples.KpiService;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

var builder = WebApplication.CreateBuilder(args);
var options = ServiceOptions.Read(builder.Configuration);
if (options.Problem is { } problem)
{
    Console.Error.WriteLine(problem);
    return 2;
}

builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = 64 * 1024);
builder.Services.AddSingleton(TimeProvider.System);
var app = builder.Build();
var endpoint = new CallEndpoint(options.Token, new SampleKpis(options.Data), new Publications());
app.MapPost("/calls/execute", endpoint.ExecuteAsync);
app.MapGet("/health", () => "ok");

await app.StartAsync();
var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
Console.WriteLine($"KPI service on {address}, computing from {options.Data}");
if (options.PortFile is { } portFile)
    await PortFile.WriteAsync(portFile, new Uri(address).Port);
await app.WaitForShutdownAsync();
return 0;
