using KpiControl.Agent.Hosting;
using KpiControl.Agent.Telemetry;
using Microsoft.Extensions.Logging.Console;

var builder = Host.CreateApplicationBuilder(args);
if (args is [HealthProbe.Command, ..])
    return await HealthProbe.RunAsync(builder.Configuration, Console.Out);
builder.Logging.AddConsole(console => console.FormatterName = RedactedConsole.FormatterName).AddConsoleFormatter<RedactedConsole, ConsoleFormatterOptions>();
builder.Services.AddAgent();
builder.AddTelemetry();
using var host = builder.Build();
return await AgentHost.RunAsync(host);
