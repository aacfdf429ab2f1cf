using System.Text.Json;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Tests.Artifacts;

/// <summary>
/// Each folder under <c>Vectors/</c> is one meaning: <c>canonical.json</c> (its exact bytes), <c>hash.txt</c>, and any
/// number of spellings of it. Readable by any language; see <c>Vectors/README.md</c>.
/// </summary>
public sealed class VectorTests
{
    public static TheoryData<string> Spellings => [.. Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories)
        .Where(f => f.EndsWith(".yaml", StringComparison.Ordinal) || f.EndsWith(".json", StringComparison.Ordinal))
        .Select(f => Path.GetRelativePath(Root, f)).Order(StringComparer.Ordinal)];

    private static string Root => Path.Combine(AppContext.BaseDirectory, "Vectors");

    [Theory, MemberData(nameof(Spellings))]
    public void Every_spelling_has_the_canonical_form_and_the_hash_of_its_meaning(string spelling)
    {
        var file = Path.Combine(Root, spelling);
        var folder = Path.GetDirectoryName(file)!;

        var reading = ArtifactReader.Read(File.ReadAllBytes(file), ArtifactFormats.OfPath(file));

        Assert.DoesNotContain(reading.Findings, f => f.Severity == Severity.Error);
        Assert.Equal(File.ReadAllText(Path.Combine(folder, "canonical.json")), reading.CanonicalJson);
        Assert.Equal(File.ReadAllText(Path.Combine(folder, "hash.txt")).Trim(), reading.ContentHash);
    }

    [Theory, MemberData(nameof(Spellings))]
    public void What_was_stored_reads_back_as_the_same_job_without_being_validated_again(string spelling)
    {
        var stored = ArtifactReader.Read(File.ReadAllBytes(Path.Combine(Root, spelling)), ArtifactFormats.OfPath(spelling)).CanonicalJson!;

        Assert.Equal(JsonSerializer.Serialize(ArtifactReader.Read(stored, ArtifactFormat.Json).Job), JsonSerializer.Serialize(ArtifactReader.ReadCanonical(stored)));
        Assert.Null(ArtifactReader.ReadCanonical("{"));
    }
}
