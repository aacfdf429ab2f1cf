using System.Diagnostics;
using System.Text.Json.Nodes;
using Grpc.Core;
using KpiControl.Jobs.Evidence;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Audit;

/// <summary>What is altered in an export is found without access to the system, with the public key alone.</summary>
public sealed class ExportTests(AuditFixture fixture) : IClassFixture<AuditFixture>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_export_that_nobody_touched_is_whole() => Assert.Empty(fixture.Verify(await fixture.ExportAsync()));

    [Fact]
    public async Task Whoever_audits_one_environment_is_shown_its_acts_and_not_the_chain_of_all()
    {
        var inStg = fixture.Client("acme/stg/auditor");
        Assert.All((await inStg.ListAuditAsync(new ListAuditRequest { Tenant = "acme" }, cancellationToken: Token)).Entries, entry => Assert.Equal("", entry.Environment));
        Assert.Contains((await fixture.Client("acme/dev/auditor").ListAuditAsync(new ListAuditRequest { Tenant = "acme" }, cancellationToken: Token)).Entries, entry => entry.Environment == "dev");
        Assert.Equal(StatusCode.PermissionDenied, (await Refusals.OfAsync(inStg.VerifyAuditAsync(new VerifyAuditRequest { Tenant = "acme" }, cancellationToken: Token))).StatusCode);
        using var export = inStg.ExportAudit(new ExportAuditRequest { Tenant = "acme" }, cancellationToken: Token);
        Assert.Contains("in every environment of the tenant", (await Assert.ThrowsAsync<RpcException>(() => export.ResponseStream.MoveNext(Token))).Status.Detail, StringComparison.Ordinal);
        // Who has it in each of them has it in all.
        Assert.Empty((await fixture.Client("acme/dev/auditor", "acme/stg/auditor", "acme/prod/admin").VerifyAuditAsync(new VerifyAuditRequest { Tenant = "acme" }, cancellationToken: Token)).Findings);
    }

    [Fact]
    public async Task An_export_may_begin_at_any_link()
    {
        for (var from = 1; from <= 3; from++)
            Assert.Empty(fixture.Verify(await fixture.ExportAsync(from)));
    }

    [Fact]
    public async Task Each_line_that_is_changed_taken_out_doubled_or_moved_is_found()
    {
        var lines = await fixture.ExportAsync();
        for (var i = 0; i < lines.Count; i++)
        {
            Assert.True(fixture.Verify(lines.Where((_, at) => at != i)).Count > 0 || IsCheckpoint(lines[i]), $"taken out: {lines[i]}");
            Assert.True(fixture.Verify([.. lines[..(i + 1)], .. lines[i..]]).Count > 0 || IsCheckpoint(lines[i]), $"doubled: {lines[i]}");
            if (i > 0 && !IsCheckpoint(lines[i]) && !IsCheckpoint(lines[i - 1]))
                Assert.True(fixture.Verify([.. lines[..(i - 1)], lines[i], lines[i - 1], .. lines[(i + 1)..]]).Count > 0, $"moved: {lines[i]}");
            Assert.True(fixture.Verify([.. lines[..i], Added(lines[i]), .. lines[(i + 1)..]]).Count > 0, $"added to: {lines[i]}");
            foreach (var changed in Changes(lines[i]))
                Assert.True(fixture.Verify([.. lines[..i], changed, .. lines[(i + 1)..]]).Count > 0, $"changed: {changed}");
        }
    }

    [Fact]
    public async Task One_that_was_cut_short_and_closed_again_is_found()
    {
        var lines = await fixture.ExportAsync();
        var second = lines.FindIndex(l => l.Contains("\"seq\":\"2\"", StringComparison.Ordinal));
        var cut = lines[..second];
        Assert.NotEmpty(fixture.Verify(cut));
        var end = JsonNode.Parse(lines[^1])!["end"]!;
        (end["links"], end["rows"]) = ("1", $"{cut.Count(l => l.StartsWith("{\"row\"", StringComparison.Ordinal))}");
        end["last_hash"] = JsonNode.Parse(cut.First(l => l.StartsWith("{\"link\"", StringComparison.Ordinal)))!["link"]!["hash"]!.GetValue<string>();
        Assert.Contains(fixture.Verify([.. cut, new JsonObject { ["end"] = end.DeepClone() }.ToJsonString()]), f => f.Contains("cut short", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_chain_that_was_written_anew_is_found_by_its_checkpoints_and_by_one_that_was_kept()
    {
        var lines = await fixture.ExportAsync();
        var forged = Forge(lines);
        Assert.Contains(fixture.Verify(forged), f => f.Contains("after it was signed", StringComparison.Ordinal));
        var kept = JsonNode.Parse(lines.First(IsCheckpoint))!["checkpoint"]!;
        var checkpoint = new ChainCheckpoint("acme", long.Parse(kept["seq"]!.GetValue<string>()), kept["hash"]!.GetValue<string>(), kept["signed_at"]!.GetValue<string>(), fixture.Key.Id);
        Assert.Contains(fixture.Verify(forged.Where(l => !IsCheckpoint(l)), checkpoint), f => f.Contains("written anew", StringComparison.Ordinal));
        Assert.Empty(fixture.Verify(lines, checkpoint));
        Assert.Contains(fixture.Verify(lines, checkpoint with { Seq = 9999 }), f => f.Contains("not reached", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_second_implementation_written_from_the_page_alone_says_the_same()
    {
        var lines = await fixture.ExportAsync();
        Assert.Matches($"^[0-9]+ links, [0-9]+ rows, signed through link [1-9]", (await SecondAsync(lines)).Said);
        var row = lines.FindIndex(l => l.StartsWith("{\"row\"", StringComparison.Ordinal));
        List<List<string>> variants =
        [
            lines[..^1], lines[1..], [.. lines.Where((_, i) => i != row)], [.. lines, lines[^1]], Forge(lines),
            [.. lines[..row], lines[row + 1], lines[row], .. lines[(row + 2)..]], [.. lines[..row], "{", .. lines[(row + 1)..]], [],
        ];
        variants.AddRange(lines.Select((line, i) => (List<string>)[.. lines[..i], Added(line), .. lines[(i + 1)..]]).Take(4));
        variants.AddRange(Enumerable.Range(0, lines.Count).Where(i => i % 3 == 0).Select(i => (List<string>)[.. lines[..i], Changes(lines[i]).First(), .. lines[(i + 1)..]]));
        foreach (var variant in variants)
            Assert.True((fixture.Verify(variant).Count > 0) == ((await SecondAsync(variant)).Exit == 1), string.Join('\n', fixture.Verify(variant)));
    }

    private async Task<(int Exit, string Said)> SecondAsync(IReadOnlyList<string> lines)
    {
        var directory = Directory.CreateTempSubdirectory("kpi-export-");
        try
        {
            var (file, key) = (Path.Combine(directory.FullName, "export.ndjson"), Path.Combine(directory.FullName, "key.pem"));
            await File.WriteAllTextAsync(file, string.Concat(lines.Select(line => line + "\n")));
            await File.WriteAllTextAsync(key, fixture.Key.PublicPem);
            using var node = Process.Start(new ProcessStartInfo("node", [Repository.File("tests", "audit", "verify.mjs"), file, "--key", key]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var said = await node.StandardOutput.ReadToEndAsync();
            await node.WaitForExitAsync();
            return (node.ExitCode, said);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    // A member more, in what the line holds.
    private static string Added(string line)
    {
        var copy = JsonNode.Parse(line)!.AsObject();
        (copy.Count == 1 ? copy.First().Value!.AsObject() : copy).Add("approved", "yes");
        return copy.ToJsonString();
    }

    private static bool IsCheckpoint(string line) => line.StartsWith("{\"checkpoint\"", StringComparison.Ordinal);

    // Every text of the line in turn, with its first character another one.
    private static IEnumerable<string> Changes(string line)
    {
        var leaves = new List<string>();
        Leaves(JsonNode.Parse(line)!, "$", leaves);
        foreach (var path in leaves)
        {
            var copy = JsonNode.Parse(line)!;
            var at = copy;
            var steps = path.Split('\u0001')[1..];
            foreach (var step in steps[..^1])
                at = at is JsonArray array ? array[int.Parse(step)]! : at[step]!;
            var old = at is JsonArray list ? list[int.Parse(steps[^1])]!.GetValue<string>() : at[steps[^1]]!.GetValue<string>();
            var changed = old.Length == 0 ? "x" : (old[0] == '7' ? "8" : "7") + old[1..];
            if (at is JsonArray items)
                items[int.Parse(steps[^1])] = changed;
            else
                at[steps[^1]] = changed;
            yield return copy.ToJsonString();
        }
    }

    private static void Leaves(JsonNode node, string path, List<string> leaves)
    {
        if (node is JsonObject members)
            foreach (var (name, value) in members)
                if (value is not null)
                    Leaves(value, $"{path}\u0001{name}", leaves);
        if (node is JsonArray items)
            for (var i = 0; i < items.Count; i++)
                Leaves(items[i]!, $"{path}\u0001{i}", leaves);
        if (node is JsonValue)
            leaves.Add(path);
    }

    // Another actor in the first row, and every hash after it taken anew: what can be done without the key.
    private static List<string> Forge(List<string> lines)
    {
        var forged = new List<string>();
        var previous = ChainLink.Genesis;
        var rows = new Queue<JsonNode>(lines.Where(l => l.StartsWith("{\"row\"", StringComparison.Ordinal)).Select(l => JsonNode.Parse(l)!["row"]!.DeepClone()));
        rows.Peek()["actor"] = "somebody";
        foreach (var line in lines)
            if (line.StartsWith("{\"link\"", StringComparison.Ordinal))
            {
                var was = JsonNode.Parse(line)!["link"]!;
                var taken = Enumerable.Range(0, was["rows"]!.AsArray().Count).Select(_ => rows.Dequeue()).ToList();
                var link = new ChainLink("acme", long.Parse(was["seq"]!.GetValue<string>()), was["linked_at"]!.GetValue<string>(), previous, [.. taken.Select(ChainLink.HashOf)]);
                previous = link.Hash();
                forged.AddRange([ExportLine.Link(link), .. taken.Select(row => ExportLine.Row(KpiControl.Jobs.Artifacts.Jcs.Write(row)))]);
            }
            else if (!line.StartsWith("{\"row\"", StringComparison.Ordinal))
                forged.Add(line);
        return forged;
    }
}
