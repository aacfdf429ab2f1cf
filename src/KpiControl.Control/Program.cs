using KpiControl.Control;
using KpiControl.Control.Hosting;

var builder = WebApplication.CreateBuilder(args);
builder.Configuration.AddEnvironmentVariables("KPI_").AddCommandLine(args);
builder.AddKpiControl();

var app = builder.Build();
app.MapKpiControl();
return await app.RunOrExplainAsync();
