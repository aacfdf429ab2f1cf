using System.Text;
using KpiControl.Control.Catalog;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Control.Tenants;
using KpiControl.Jobs.Artifacts;
using KpiControl.Jobs.Calendars;
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
    /// <summary>The latest version of the calendar that the schedule names.</summary>
    public CalendarRow? Calendar { get; init; }

    public JobArtifact Job => Reading.Job!;
}

/// <summary>The server's validation: what the text says by itself, then the contract, the graph and the policy; all findings at once.</summary>
internal static class JobCheck
{
    /// <summary>Asks whether the caller may act for the artifact's tenant before anything of that tenant is looked at.</summary>
    public static async Task<CheckedJob> CheckAsync(RequestTransaction tx, Submission submission, Verb verb)
    {
        var reading = ArtifactReader.Read(submission.Content, submission.Format);
        // Without a tenant there is nobody whose contracts and regions could be looked at.
        if (reading.Remains is not { Tenant.Length: > 0 } job)
            return new CheckedJob { Submission = submission, Reading = reading, Findings = reading.Findings };

        tx.Demand(verb, job.Tenant, submission.Environment, $"The tenant {job.Tenant}");
        var placement = await TenantStore.PlacementAsync(tx, job.Tenant, submission.Environment) ?? throw Reject.NotFound($"The tenant {job.Tenant}");
        var region = submission.Region.Length > 0 ? submission.Region : placement.HomeRegion;
        var facts = await JobFacts.LoadAsync(tx, job.Tenant, submission.Environment, placement, [new PlacedJob(job, region)], withGraph: job.Dependencies.Kpis.Count > 0, forEdit: verb != Verb.Read);
        return Check(submission, reading, region, facts);
    }

    /// <summary>All that does not ask the database; of an artifact whose tenant could be read.</summary>
    public static CheckedJob Check(Submission submission, ArtifactReading reading, string? region, JobFacts facts)
    {
        var job = reading.Remains!;
        var known = facts.ContractOf(job);
        var policy = new EnvironmentPolicy
        {
            Environment = submission.Environment, AllowedRegions = facts.Placement.Regions, RequiresOwners = facts.Placement.RequiresOwners,
            RequiresSla = facts.Placement.RequiresSla, RequiresAlerts = facts.Placement.RequiresAlerts,
        };
        var calendar = facts.CalendarOf(job);
        IReadOnlyList<Finding> ours = [
            .. CalendarCheck.Check(job, calendar?.Understand(), facts.CalendarNames),
            .. ContractCheck.Check(job, known?.Contract, isKpiKnown: facts.KnownKpis.Contains(job.KpiId)),
            .. region is null ? [] : facts.CheckGraph(job, region),
            .. region is null ? [] : facts.NamesFor(job, region).Check(job, known?.Contract, $"{job.Tenant}/{submission.Environment} in {region}"),
            .. region is null ? [] : facts.CheckStages(job, region, $"{job.Tenant}/{submission.Environment} in {region}"),
            .. policy.Check(job, known?.Contract, region)];
        return new CheckedJob
        {
            Submission = submission, Reading = reading, Placement = facts.Placement, Region = region, Contract = known?.Contract, ContractDigest = known?.Digest ?? "", Calendar = calendar,
            Findings = [.. reading.Findings, .. FindingPlaces.Fill(reading.About(ours), Encoding.UTF8.GetBytes(submission.Content), submission.Format)],
        };
    }

    /// <summary>A stored contract with the status that it has now.</summary>
    public static MetricContract Understand(ContractRow row) =>
        (ContractReader.Read(row.CanonicalJson, ArtifactFormat.Json).Contract
            ?? throw new InvalidOperationException($"The stored contract {row.KpiId}@{row.Version} cannot be read.")) with { Status = row.Status };
}
