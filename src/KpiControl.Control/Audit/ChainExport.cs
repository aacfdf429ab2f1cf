using KpiControl.Control.Database;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Evidence;

namespace KpiControl.Control.Audit;

/// <summary>The lines of an export, read in pages: nothing changes under it, since nothing of a chain ever changes.</summary>
internal sealed class ChainExport(Databases databases, AuditKey key)
{
    private const int PageLinks = 20;

    public async IAsyncEnumerable<string> LinesAsync(Caller caller, string tenant, long from, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken token)
    {
        var (previous, to, at) = await BeginAsync(caller, tenant, from, token);
        yield return ExportLine.Header(tenant, from, previous);
        var (links, rows) = (0L, 0L);
        // The database reads a page while the one before it is looked at.
        var ahead = PageAsync(caller, tenant, from, to, token);
        try
        {
            while (await ahead is { Count: > 0 } page)
            {
                ahead = PageAsync(caller, tenant, page[^1].Link.Seq + 1, to, token);
                foreach (var (link, inLink, checkpoint, signature) in page)
                {
                    yield return ExportLine.Link(link);
                    foreach (var row in inLink)
                        yield return ExportLine.Row(row);
                    if (checkpoint is not null)
                        yield return ExportLine.Checkpoint(checkpoint, signature!);
                    (links, rows, previous) = (links + 1, rows + inLink.Count, link.Hash());
                }
            }
        }
        finally
        {
            await ((Task)ahead).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        var end = new ExportEnd(tenant, from, links, rows, previous, ChainTime.Text(at), key.Id);
        yield return ExportLine.End(end, key.Sign(end.ToSign()));
    }

    private async Task<(string Previous, long To, DateTime At)> BeginAsync(Caller caller, string tenant, long from, CancellationToken token)
    {
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        var (to, at) = await TrailStore.HeadAsync(tx, tenant);
        if (from > to + 1)
            throw Hosting.Reject.Invalid("from_seq", $"is {from}, and the chain ends at link {to}");
        return (from == 1 ? ChainLink.Genesis : await TrailStore.HashAsync(tx, tenant, from - 1) ?? ChainLink.Genesis, to, at);
    }

    private async Task<IReadOnlyList<ExportedLink>> PageAsync(Caller caller, string tenant, long from, long to, CancellationToken token)
    {
        if (from > to)
            return [];
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        var links = await TrailStore.LinksAsync(tx, tenant, from, to, PageLinks);
        var found = await ChainRowStore.TextsAsync(tx.Connection, [.. links.SelectMany(l => l.Places)], token);
        return [.. links.Select(l => new ExportedLink(
            new ChainLink(tenant, l.Seq, ChainTime.Text(l.LinkedAt), Convert.ToHexStringLower(l.PrevHash), [.. l.RowHashes.Chunk(32).Select(Convert.ToHexStringLower)]),
            [.. l.Places.SelectMany(place => found[place])],
            l.Signature is null ? null : new ChainCheckpoint(tenant, l.Seq, Convert.ToHexStringLower(l.CheckpointHash!), ChainTime.Text(l.SignedAt!.Value), l.KeyId!),
            l.Signature))];
    }

    private sealed record ExportedLink(ChainLink Link, IReadOnlyList<string> Rows, ChainCheckpoint? Checkpoint, byte[]? Signature);
}
