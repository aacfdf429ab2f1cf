using System.CommandLine;
using Grpc.Core;
using KpiControl.Cli.Connection;
using KpiControl.Cli.Options;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli;

/// <summary>One invocation of one command: what was asked for, whom to ask, and where the answer goes.</summary>
internal sealed class Session(Surroundings world, ParseResult parsed, CancellationToken token) : IDisposable
{
    private Target? target;
    private ControlPlane? controlPlane;

    public Surroundings World { get; } = world;
    public CancellationToken Token { get; } = token;

    public Target Target => target ??= Target.Resolve(World, parsed);
    /// <summary>For login and logout themselves: a login that cannot be used must not stand in their way.</summary>
    public Target TargetWithoutLogin => Target.Resolve(World, parsed, withLogin: false);

    public ControlPlane ControlPlane => controlPlane ??= new ControlPlane(Target, World);
    public JobService.JobServiceClient Jobs => new(ControlPlane.Calls);
    public ChangeService.ChangeServiceClient Changes => new(ControlPlane.Calls);
    public DriftService.DriftServiceClient Drift => new(ControlPlane.Calls);
    public RestatementService.RestatementServiceClient Restatements => new(ControlPlane.Calls);
    public CatalogService.CatalogServiceClient Catalog => new(ControlPlane.Calls);
    public SignalService.SignalServiceClient Signals => new(ControlPlane.Calls);
    public AlertService.AlertServiceClient Alerts => new(ControlPlane.Calls);
    public LineageService.LineageServiceClient Lineage => new(ControlPlane.Calls);
    public AuditService.AuditServiceClient Audit => new(ControlPlane.Calls);
    public TenantService.TenantServiceClient Tenants => new(ControlPlane.Calls);
    public FleetService.FleetServiceClient Fleet => new(ControlPlane.Calls);
    public MonitorService.MonitorServiceClient Monitor => new(ControlPlane.Calls);
    public DoctorService.DoctorServiceClient Doctor => new(ControlPlane.Calls);

    public OutputFormat Format => parsed.GetValue(SharedOptions.Output);
    public Answer Answer => new(World, Format);

    public T? Value<T>(Option<T> option) => parsed.GetValue(option);
    /// <summary>Whether it was given, with a value or without.</summary>
    public bool Has(Option option) => parsed.GetResult(option) is { Implicit: false };
    public T? Value<T>(Argument<T> argument) => parsed.GetValue(argument);

    /// <summary>Every call has a deadline.</summary>
    public CallOptions Call => CallWithin(parsed.GetValue(SharedOptions.Timeout) ?? TimeSpan.FromSeconds(30));

    public CallOptions CallWithin(TimeSpan timeout) =>
        new(deadline: TimeProvider.System.GetUtcNow().Add(timeout).UtcDateTime, cancellationToken: Token);

    /// <summary>Makes a mutation safe to send again; a rehearsal needs none.</summary>
    public static string RequestId(bool validateOnly) => validateOnly ? "" : Guid.CreateVersion7().ToString();

    public void Dispose() => controlPlane?.Dispose();
}
