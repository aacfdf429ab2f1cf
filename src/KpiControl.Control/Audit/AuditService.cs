using System.Globalization;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using KpiControl.Control.Database;
using KpiControl.Control.Evidence;
using KpiControl.Control.Hosting;
using KpiControl.Control.Requests;
using KpiControl.Control.Security;
using KpiControl.Jobs.Evidence;
using KpiControl.Protocol.V1;

namespace KpiControl.Control.Audit;

/// <summary>For auditors: the trail, its export, and whether it is whole.</summary>
internal sealed class AuditService(Databases databases, ChainExport export, EvidenceExport evidence, AuditKey key) : Protocol.V1.AuditService.AuditServiceBase
{
    private const int ChunkBytes = 256 << 10;

    public override async Task<ListAuditResponse> ListAudit(ListAuditRequest request, ServerCallContext context)
    {
        var paging = Paging.Of(request);
        var tenant = RequestFields.Tenant(context.Caller(), request.Tenant, Verb.PolicyRead);
        var scope = ReadScope.Of(context.Caller(), Verb.PolicyRead);
        var (beforeAt, beforeId) = Position(paging.After);
        await using var tx = await RequestTransaction.BeginAsync(databases, context.Caller(), context.CancellationToken);
        var rows = await TrailStore.ListAsync(tx, new
        {
            tenant, since = request.Since?.ToDateTime(), until = request.Until?.ToDateTime(), actor = request.Actor, verb = request.Verb,
            kind = request.ObjectKind, objectId = request.ObjectId, beforeAt, beforeId, limit = paging.Size + 1,
            tenants = scope.Tenants, environments = scope.Environments,
        });
        var response = new ListAuditResponse();
        response.Entries.AddRange(rows.Take(paging.Size).Select(ToProto));
        if (rows.Count > paging.Size)
            response.NextPageToken = Paging.Token(request, string.Create(CultureInfo.InvariantCulture, $"{rows[paging.Size - 1].RecordedAt.Ticks} {rows[paging.Size - 1].AuditId}"));
        return response;
    }

    public override async Task ExportAudit(ExportAuditRequest request, IServerStreamWriter<ExportAuditResponse> responseStream, ServerCallContext context)
    {
        var tenant = RequestFields.WholeTenant(context.Caller(), request.Tenant, Verb.PolicyRead);
        await foreach (var lines in ChunksAsync(export.LinesAsync(context.Caller(), tenant, From(request.FromSeq), context.CancellationToken)))
            await responseStream.WriteAsync(new ExportAuditResponse { Lines = ByteString.CopyFromUtf8(lines) }, context.CancellationToken);
    }

    public override async Task ExportEvidence(ExportEvidenceRequest request, IServerStreamWriter<ExportEvidenceResponse> responseStream, ServerCallContext context)
    {
        await foreach (var lines in ChunksAsync(evidence.LinesAsync(context.Caller(), request, context.CancellationToken)))
            await responseStream.WriteAsync(new ExportEvidenceResponse { Lines = lines }, context.CancellationToken);
    }

    private static async IAsyncEnumerable<string> ChunksAsync(IAsyncEnumerable<string> lines)
    {
        var chunk = new StringBuilder();
        await foreach (var line in lines)
        {
            chunk.Append(line).Append('\n');
            if (chunk.Length < ChunkBytes)
                continue;
            yield return chunk.ToString();
            chunk.Clear();
        }
        yield return chunk.ToString();
    }

    public override async Task<VerifyAuditResponse> VerifyAudit(VerifyAuditRequest request, ServerCallContext context)
    {
        var (caller, token) = (context.Caller(), context.CancellationToken);
        var tenant = RequestFields.WholeTenant(caller, request.Tenant, Verb.PolicyRead);
        var verifier = new ExportVerifier(key.ThatSigned, []);
        await foreach (var line in export.LinesAsync(caller, tenant, From(request.FromSeq), token))
            verifier.Read(line);
        verifier.End();
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token);
        var unlinked = await TrailStore.UnlinkedAsync(tx, tenant);
        var late = unlinked.Where(r => r.IsLate).ToList();
        var response = new VerifyAuditResponse
        {
            Links = verifier.Counted.Links, Rows = verifier.Counted.Rows, SignedThrough = verifier.SignedThrough, Waiting = unlinked.Count - late.Count,
        };
        response.Findings.AddRange(verifier.Findings.Concat(late.Take(100).Select(r =>
            $"{Table(r.Kind)} {r.Id} of {ChainTime.Text(r.At)} is in no link: it was put beside the chain, or the sequencer stands still")).Take(100));
        return response;
    }

    public override Task<AuditPublicKey> GetAuditKey(GetAuditKeyRequest request, ServerCallContext context) =>
        Task.FromResult(new AuditPublicKey { KeyId = key.Id, PublicKeyPem = key.PublicPem });

    private static long From(long seq) => seq switch
    {
        0 => 1,
        > 0 => seq,
        _ => throw Reject.Invalid("from_seq", "is below 1, the first link"),
    };

    private static (DateTime? At, long Id) Position(string? after)
    {
        if (after is null)
            return (null, 0);
        var parts = after.Split(' ');
        return parts.Length == 2 && long.TryParse(parts[0], out var ticks) && ticks >= 0 && ticks <= DateTime.MaxValue.Ticks && long.TryParse(parts[1], out var id)
            ? (new DateTime(ticks, DateTimeKind.Utc), id)
            : throw Reject.Invalid("page_token", "is of another query; begin with the first page");
    }

    private static string Table(string kind) => kind switch { "a" => "audit", "e" => "evidence", _ => "history" };

    private static AuditRecord ToProto(AuditRow row) => new()
    {
        AuditId = row.AuditId, RecordedAt = Timestamp.FromDateTime(row.RecordedAt.ToUniversalTime()), Tenant = row.TenantId, Environment = row.Environment ?? "", Actor = row.Actor,
        Verb = row.Verb, ObjectKind = row.ObjectKind, ObjectId = row.ObjectId, Reason = row.Reason, Before = row.Before ?? "", After = row.After ?? "",
        RequestId = row.RequestId?.ToString() ?? "",
    };
}
