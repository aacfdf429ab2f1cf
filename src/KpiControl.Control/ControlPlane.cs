using KpiControl.Control.Alerts;
using KpiControl.Control.Audit;
using KpiControl.Control.Authoring;
using KpiControl.Control.Backfills;
using KpiControl.Control.Catalog;
using KpiControl.Control.Certificates;
using KpiControl.Control.Changes;
using KpiControl.Control.Database;
using KpiControl.Control.Doctor;
using KpiControl.Control.Drift;
using KpiControl.Control.Fleet;
using KpiControl.Control.Hosting;
using KpiControl.Control.Leases;
using KpiControl.Control.Monitoring;
using KpiControl.Control.OpenLineage;
using KpiControl.Control.Operations;
using KpiControl.Control.Overrides;
using KpiControl.Control.Provenance;
using KpiControl.Control.Requests;
using KpiControl.Control.Rest;
using KpiControl.Control.Restatements;
using KpiControl.Control.Runs;
using KpiControl.Control.Security;
using KpiControl.Control.Signals;
using KpiControl.Control.Sla;
using KpiControl.Control.Telemetry;
using KpiControl.Control.Tenants;

namespace KpiControl.Control;

/// <summary>The table of contents: every feature of the control plane, in the order of its story.</summary>
internal static class ControlPlane
{
    public static WebApplicationBuilder AddKpiControl(this WebApplicationBuilder builder)
    {
        builder.AddStartup();
        builder.AddListeners();
        builder.AddTelemetry();
        builder.Services
            .AddDatabase()
            .AddCallerSecurity()
            .AddCertificates()
            .AddTenants()
            .AddRequests()
            .AddOperations()
            .AddOverrides()
            .AddBackfills()
            .AddRestatements()
            .AddSignals()
            .AddRunReads()
            .AddLineage()
            .AddLeases()
            .AddSla()
            .AddAlerts()
            .AddDrift()
            .AddOpenLineage()
            .AddMonitoring()
            .AddDoctor()
            .AddAudit()
            .AddGrpcApi();
        return builder;
    }

    public static WebApplication MapKpiControl(this WebApplication app)
    {
        app.UseVersionHeader();
        app.UseMetricsDoor();
        app.UseAgentsDoor();
        app.UseAuthentication();
        app.UseEdges();
        app.MapTenants();
        app.MapSignals();
        app.MapFleet();
        app.MapMonitoring();
        app.MapDoctor();
        app.MapAudit();
        app.MapAlerts();
        app.MapOpenLineage();
        app.MapLeases();
        app.MapRest();
        app.MapIssuer();
        app.MapGrpcInfrastructure();
        app.MapCatalog();
        app.MapAuthoring();
        app.MapChanges();
        app.MapDrift();
        app.MapRestatements();
        return app;
    }
}
