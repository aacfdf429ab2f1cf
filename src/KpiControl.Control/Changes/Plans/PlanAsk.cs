using System.Globalization;
using System.Text.RegularExpressions;
using KpiControl.Control.Authoring;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Jobs.Artifacts;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Changes.Plans;

/// <summary>What becomes of the jobs that a source applied and its set no longer has.</summary>
internal enum Prune { No, Remove, Pause }

/// <summary>A set of artifacts as it was read, and where it is to be bound.</summary>
/// <param name="Region">Empty: where each is bound, else the tenant's home.</param>
/// <param name="Source">Empty: nobody's in particular.</param>
internal sealed partial record PlanAsk(string Tenant, string Environment, string Region, string Source, Prune Prune, IReadOnlyList<ReadArtifact> Artifacts)
{
    private const int MostArtifacts = 2000;

    /// <summary>Each job id once; what could not be read has none.</summary>
    public string[] JobIds { get; } = [.. Artifacts.Select(artifact => artifact.JobId).Where(id => id.Length > 0).Distinct(StringComparer.Ordinal)];

    public static PlanAsk Of(string tenant, string environment, string region, string source, string prune, IReadOnlyList<PlanArtifact> artifacts)
    {
        var read = Read(artifacts, RequestFields.Environment(environment), region);
        var ask = new PlanAsk(tenant.Length > 0 ? tenant : FirstTenant(read), RequestFields.Environment(environment), region, Named(source), PruneOf(prune), read);
        if (ask.Prune != Prune.No && ask.Source.Length == 0)
            throw Reject.Invalid("source", "is missing: only what a source applied can be pruned");
        if (artifacts.Count == 0)
            throw Reject.Invalid("artifacts", ask.Prune == Prune.No ? "is empty: send the jobs to be planned"
                : $"is empty: pruning by it would take away everything that {ask.Source} applied, and that is never meant");
        return ask;
    }

    private static List<ReadArtifact> Read(IReadOnlyList<PlanArtifact> artifacts, string environment, string region)
    {
        if (artifacts.Count > MostArtifacts)
            throw Reject.Invalid("artifacts", string.Create(CultureInfo.InvariantCulture, $"holds {artifacts.Count} jobs, and one plan at most {MostArtifacts}: plan them directory by directory"));
        var submissions = artifacts.Select((artifact, i) => artifact.Content.Length > 0
            ? new Submission(artifact.Content, RequestFields.Format(artifact.Format), environment, region)
            : throw Reject.Invalid(string.Create(CultureInfo.InvariantCulture, $"artifacts[{i}].content"), "is missing")).ToList();
        // Each by itself, and most of what a plan costs: half of the cores, so that one caller does not have them all.
        return [.. submissions.AsParallel().AsOrdered().WithDegreeOfParallelism(Math.Max(1, System.Environment.ProcessorCount / 2))
            .Select(submission => new ReadArtifact(submission, ArtifactReader.Read(submission.Content, submission.Format)))];
    }

    private static string FirstTenant(IEnumerable<ReadArtifact> artifacts) =>
        artifacts.Select(artifact => artifact.Reading.Remains?.Tenant).FirstOrDefault(tenant => tenant is { Length: > 0 }) ?? "";

    private static string Named(string source) => source.Length == 0 || SourceName().IsMatch(source) ? source
        : throw Reject.Invalid("source", "is not a name like git-main: up to 63 of lower-case letters, digits, and - _ . /, first a letter or digit");

    private static Prune PruneOf(string prune) => prune switch
    {
        "" => Prune.No,
        "remove" => Prune.Remove,
        "pause" => Prune.Pause,
        _ => throw Reject.Invalid("prune", "is neither remove nor pause, nor empty to take nothing away"),
    };

    [GeneratedRegex("^[a-z0-9][a-z0-9._/-]{0,62}$", RegexOptions.CultureInvariant)]
    private static partial Regex SourceName();
}

internal sealed record ReadArtifact(Submission Submission, ArtifactReading Reading)
{
    /// <summary>Empty where it could not be read.</summary>
    public string JobId => Reading.Remains?.JobId ?? "";
}
