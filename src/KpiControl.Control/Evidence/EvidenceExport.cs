using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using KpiControl.Control.Audit;
using KpiControl.Control.Changes;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Runs;
using KpiControl.Control.Security;
using KpiControl.Jobs.Evidence;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Evidence;

/// <summary>The lines of an evidence bundle: what proves runs, and the signed statement that names it all.</summary>
internal sealed class EvidenceExport(Databases databases, AuditKey key)
{
    private const int RowsAtOnce = 100, LinksAtOnce = 20;
    private const long MostBytes = 256 << 20;

    public async IAsyncEnumerable<string> LinesAsync(Caller caller, ExportEvidenceRequest request, [EnumeratorCancellation] CancellationToken token)
    {
        var (scope, documents, proof, at) = await CollectAsync(caller, request, token);
        var subjects = new List<EvidenceSubject>();
        var bytes = 0L;
        await foreach (var document in WithProofAsync(caller, scope.Tenant, documents, proof, token))
        {
            var line = document.Line;
            if ((bytes += line.Length) > MostBytes)
                throw Reject.TooLarge("The bundle is larger than 256 MiB; ask for a shorter period.");
            subjects.Add(EvidenceSubject.Of(document.Name, line));
            yield return line;
        }
        var statement = new EvidenceStatement(scope.Tenant, ChainTime.Text(at.UtcDateTime), caller.Principal, scope.Words, subjects).ToBytes();
        yield return DsseEnvelope.Write(statement, key.Id, key.Sign(DsseEnvelope.ToSign(statement)));
    }

    private async Task<(EvidenceScope Scope, List<EvidenceDocument> Documents, ChainProof Proof, DateTimeOffset At)> CollectAsync(Caller caller, ExportEvidenceRequest request, CancellationToken token)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        var scope = await EvidenceScope.OfAsync(tx, request);
        if (!key.Signs)
            throw Reject.Precondition("NOT_SIGNED", scope.Tenant, "This control plane signs nothing, and evidence that nobody signed proves nothing; its operator sets Audit:SigningKeyFile.");
        var revisions = await EvidenceStore.RevisionsAsync(tx, [.. scope.Runs.Select(r => (r.BindingId, r.Revision)).Distinct()]);
        var contracts = await EvidenceStore.ContractsAsync(tx, scope.Tenant, [.. revisions.Select(r => r.ContractDigest).Union(await EvidenceStore.TableContractsAsync(tx, scope))]);
        var policies = await EvidenceStore.PoliciesAsync(tx, scope);
        var changes = new List<AgreedChange>();
        foreach (var id in revisions.Select(r => r.ChangeId).OfType<long>().Distinct())
            changes.Add(await AgreedChange.FindAsync(tx, id));

        var restated = await EvidenceStore.RestatementActsAsync(tx, [.. scope.Runs.Select(r => r.RestatementId).OfType<long>().Distinct()]);

        List<EvidenceDocument> documents =
        [
            .. scope.Runs.Select(EvidenceMapping.ToDocument),
            .. revisions.Select(r => new EvidenceDocument("revision", JsonNode.Parse(r.Body)!.AsObject())),
            .. Of("definition", await EvidenceStore.DefinitionsAsync(tx, scope.Tenant, [.. revisions.Select(r => r.ContentHash).Distinct()])),
            .. Of("contract", contracts), .. Of("policy", policies),
            .. changes.Select(EvidenceMapping.ToDocument),
            .. Of("episode", await EvidenceStore.EpisodesAsync(tx, scope)),
        ];
        DateTimeOffset[] acts =
        [
            .. revisions.SelectMany(r => new[] { r.EffectiveFrom, r.ChangeFrom, r.CalendarFrom }).OfType<DateTimeOffset>(), .. contracts.Select(c => c.At), .. policies.Select(p => p.At),
            .. changes.SelectMany(c => c.Acts), .. restated.Select(r => r.At),
        ];
        var rows = await EvidenceStore.PlacesAsync(tx, scope, [.. acts.Distinct().Select(t => t.ToUniversalTime())],
            [.. scope.Runs.Select(r => r.BindingId).Distinct().Select(Text)], [.. changes.Select(c => Text(c.Change.ChangeId))],
            [.. restated.Select(r => Text(r.RestatementId)).Distinct()]);
        var proof = ChainProof.Of(await LinkedAsync(tx, scope, [.. rows, .. scope.Runs.Select(r => new RowPlace('h', r.RunId, r.RecordedAt.UtcDateTime))]));
        return (scope, documents, proof, await RunStore.NowAsync(tx));
    }

    private static async Task<IReadOnlyList<LinkedPlace>> LinkedAsync(RequestTransaction tx, EvidenceScope scope, IReadOnlyList<RowPlace> places)
    {
        var found = await EvidenceStore.LinksOfAsync(tx, scope.Tenant, places);
        if (found.Any(f => f.Checkpoint is null))
            throw Reject.Precondition("NOT_SIGNED_YET", scope.Tenant,
                "A row of the proof is not under a signed checkpoint yet: chains are linked each second and signed each minute. Try again then; if it stays so: kpictl audit verify.");
        return [.. places.Zip(found, (place, at) => new LinkedPlace(place, at.Seq!.Value, at.Checkpoint!.Value))];
    }

    private async IAsyncEnumerable<EvidenceDocument> WithProofAsync(Caller caller, string tenant, IReadOnlyList<EvidenceDocument> documents, ChainProof proof, [EnumeratorCancellation] CancellationToken token)
    {
        foreach (var document in documents)
            yield return document;
        foreach (var (from, to) in proof.Stretches)
            for (var next = from; next <= to; next += LinksAtOnce)
                foreach (var document in await LinksAsync(caller, tenant, next, Math.Min(to, next + LinksAtOnce - 1), proof, token))
                    yield return document;
    }

    // A transaction a page: a reader that is slow keeps none open.
    private async Task<IReadOnlyList<EvidenceDocument>> LinksAsync(Caller caller, string tenant, long from, long to, ChainProof proof, CancellationToken token)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        var documents = new List<EvidenceDocument>();
        foreach (var link in await TrailStore.LinksAsync(tx, tenant, from, to, LinksAtOnce))
        {
            documents.AddRange(EvidenceMapping.ToDocuments(link, tenant));
            foreach (var places in proof.RowsOf(link.Seq).Chunk(RowsAtOnce))
            {
                var texts = await ChainRowStore.TextsAsync(tx.Connection, places, token);
                documents.AddRange(link.Places.Index().SelectMany(p => texts[p.Item].Take(1).Select(row => EvidenceMapping.ToDocument(row, link.Seq, p.Index))));
            }
        }
        return documents;
    }

    private static IEnumerable<EvidenceDocument> Of(string kind, IEnumerable<DatedBody> bodies) => bodies.Select(b => new EvidenceDocument(kind, b.Members));

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
