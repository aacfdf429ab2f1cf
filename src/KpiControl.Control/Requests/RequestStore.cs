using System.Text.Json;
using System.Text.Json.Serialization;

namespace KpiControl.Control.Requests;

internal sealed record EarlierRequest
{
    public required string Method { get; init; }
    public required byte[] BodyDigest { get; init; }
    public required byte[] Response { get; init; }
    /// <summary>JSON of what was demanded of the caller.</summary>
    public required string Demanded { get; init; }
}

internal static class RequestStore
{
    private static readonly JsonSerializerOptions Words = new() { Converters = { new JsonStringEnumConverter() } };

    private const string SetCaller = """
        SELECT set_config('kpi.tenants', @tenants, true), set_config('kpi.principal', @principal, true)
        """;

    /// <summary>For the transaction: row-level security reads it, and it is gone with it.</summary>
    /// <param name="tenants">Null: all of them.</param>
    public static Task SetCallerAsync(RequestTransaction tx, string principal, string[]? tenants) =>
        tx.ExecuteAsync(SetCaller, new { principal, tenants = tenants is null ? "*" : string.Join(',', tenants) });

    // Waits for a racing transaction that claims the same id; a claim older than a day is nobody's any more.
    private const string Claim = """
        INSERT INTO kpi_request AS r (principal, request_id, method, body_digest) VALUES (@principal, @id, @method, @digest)
        ON CONFLICT (principal, request_id) DO UPDATE
          SET method = excluded.method, body_digest = excluded.body_digest, response = NULL, recorded_at = now()
          WHERE r.recorded_at < now() - interval '24 hours'
        """;

    /// <returns>True where this transaction is the first with the id.</returns>
    public static async Task<bool> ClaimAsync(RequestTransaction tx, Guid id, string method, byte[] digest) =>
        await tx.ExecuteAsync(Claim, new { principal = tx.Caller.Principal, id, method, digest }) == 1;

    private const string Find = """
        SELECT method, body_digest, response, demanded::text AS demanded FROM kpi_request WHERE principal = @principal AND request_id = @id
        """;

    public static async Task<EarlierRequest> EarlierAsync(RequestTransaction tx, Guid id) =>
        await tx.FindAsync<EarlierRequest>(Find, new { principal = tx.Caller.Principal, id })
        ?? throw new InvalidOperationException("A request that was claimed is gone.");

    /// <summary>What an earlier request was granted by.</summary>
    public static IReadOnlyList<DemandedVerb> DemandedOf(EarlierRequest earlier) => JsonSerializer.Deserialize<List<DemandedVerb>>(earlier.Demanded, Words)!;

    private const string Keep = """
        UPDATE kpi_request SET response = @response, demanded = @demanded::jsonb WHERE principal = @principal AND request_id = @id
        """;

    /// <summary>With what this transaction demanded.</summary>
    public static Task KeepAsync(RequestTransaction tx, Guid id, byte[] response) =>
        tx.ExecuteAsync(Keep, new { principal = tx.Caller.Principal, id, response, demanded = JsonSerializer.Serialize(tx.Demanded, Words) });
}
