using System.Text;
using KpiControl.Control.Catalog;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Control.Tenants;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Contracts;

namespace KpiControl.Control.Authoring;

/// <summary>An artifact, and where it is to be bound.</summary>
internal sealed record Submission(string Content, ArtifactFormat Format, string Environment, string Region)
{
    public static Submission Of(string content, string format, string environment, string region) => new(
        RequestFields.Required("content", content), RequestFields.Format(format), RequestFields.Environment(environment), region);
}

/// <summary>What all stages of validation said, and what was learned on the way.</summary>
internal sealed record CheckedJob
{
    public required Submission Submission { get; init; }
    public required ArtifactReading Reading { get; init; }
    public required IReadOnlyList<Finding> Findings { get; init; }
    public TenantPlacement? Placement { get; init; }
    /// <summary>The region asked for, else the tenant's home.</summary>
    public string? Region { get; init; }
    public MetricContract? Contract { get; init; }
    public string ContractDigest { get; init; } = "";

    public JobArtifact Job => Reading.Job!;
}

/// <summary>The server's validation: what the text says by itself, then the contract, the graph and the policy; all findings at once.</summary>
internal static class JobCheck
{
    /// <summary>Asks whether the caller may act for the artifact's tenant before anything of that tenant is looked at.</summary>
    public static async Task<CheckedJob> CheckAsync(RequestTransaction tx, Submission submission, Verb verb)
    {
        var text = Encoding.UTF8.GetBytes(submission.Content);
        var reading = ArtifactReader.Read(submission.Content, submission.Format);
        // Without a tenant there is nobody whose contracts and regions could be looked at.
        if (reading.Remains is not { Tenant.Length: > 0 } job)
            return new CheckedJob { Submission = submission, Reading = reading, Findings = reading.Findings };

        tx.Demand(verb, job.Tenant, submission.Environment, $"The tenant {job.Tenant}");
        var placement = await TenantStore.PlacementAsync(tx, job.Tenant, submission.Environment) ?? throw Reject.NotFound($"The tenant {job.Tenant}");
        var region = submission.Region.Length > 0 ? submission.Region : placement.HomeRegion;
        var row = await ContractStore.FindAsync(tx, job.Tenant, job.KpiId, job.ContractVersion);
        var contract = row is null ? null : Understand(row);
        var policy = new EnvironmentPolicy
        {
            Environment = submission.Environment, AllowedRegions = placement.Regions,
            RequiresOwners = placement.RequiresOwners, RequiresSla = placement.RequiresSla, RequiresAlerts = placement.RequiresAlerts,
        };
        IReadOnlyList<Finding> ours = [
            .. ContractCheck.Check(job, contract, isKpiKnown: row is not null || await ContractStore.IsKnownAsync(tx, job.Tenant, job.KpiId)),
            .. await GraphAsync(tx, job, submission.Environment, region),
            .. await NamesAsync(tx, job, contract, submission.Environment, region),
            .. policy.Check(job, contract, region)];
        return new CheckedJob
        {
            Submission = submission, Reading = reading, Placement = placement, Region = region, Contract = contract, ContractDigest = row?.Digest ?? "",
            Findings = [.. reading.Findings, .. FindingPlaces.Fill(reading.About(ours), text, submission.Format)],
        };
    }

    /// <summary>A stored contract with the status that it has now.</summary>
    public static MetricContract Understand(ContractRow row) =>
        (ContractReader.Read(row.CanonicalJson, ArtifactFormat.Json).Contract
            ?? throw new InvalidOperationException($"The stored contract {row.KpiId}@{row.Version} cannot be read.")) with { Status = row.Status };

    private static async Task<IReadOnlyList<Finding>> GraphAsync(RequestTransaction tx, JobArtifact job, string environment, string? region)
    {
        if (job.Dependencies.Kpis.Count == 0 || region is null)
            return [];
        var graph = new DependencyGraph();
        foreach (var edge in await GraphStore.EdgesAsync(tx, job.Tenant, environment, region, job.JobId))
            graph.Add(new KpiReference(edge.KpiId, edge.ContractVersion), [Parse(edge.Upstream)]);
        graph.Add(job);
        return graph.Check(job);
    }

    private static async Task<IReadOnlyList<Finding>> NamesAsync(RequestTransaction tx, JobArtifact job, MetricContract? contract, string environment, string? region)
    {
        var tables = job.Dependencies.Gdp.Except(contract?.GdpDependencies ?? []).ToList();
        if (region is null || tables.Count + job.Dependencies.Kpis.Count + job.Dependencies.Signals.Count == 0)
            return [];
        var unserved = await GraphStore.UnservedAsync(tx, job, environment, region, tables);
        var names = new NamedDependencies
        {
            UnknownKpis = unserved.UnknownKpis.Select(Parse).ToHashSet(), UnboundKpis = unserved.UnboundKpis.Select(Parse).ToHashSet(),
            UnknownTables = unserved.UnknownTables.ToHashSet(), UnknownSignals = unserved.UnknownSignals.ToHashSet(), KnownSignals = unserved.KnownSignals,
        };
        return names.Check(job, contract, $"{job.Tenant}/{environment} in {region}");
    }

    private static KpiReference Parse(string upstream) => upstream.Split('@', 2) is [var kpi, var version] ? new(kpi, version) : new(upstream, "");
}
