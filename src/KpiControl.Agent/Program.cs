using KpiControl.Agent.Hosting;
using Microsoft.Extensions.Logging.Console;

var builder = Host.CreateApplicationBuilder(args);
builder.Logging.AddSimpleConsole(console =>
{
    console.SingleLine = true;
    console.ColorBehavior = LoggerColorBehavior.Disabled;
    console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
    console.UseUtcTimestamp = true;
});
builder.Services.AddAgent();
using var host = builder.Build();
return await AgentHost.RunAsync(host);
