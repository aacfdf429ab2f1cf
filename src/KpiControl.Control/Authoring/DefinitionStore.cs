using KpiControl.Control.Requests;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Authoring;

/// <summary>Definitions, by what they mean.</summary>
internal static class DefinitionStore
{
    // In one order, so that two that store many do not wait for each other.
    private const string Insert = """
        INSERT INTO kpi_job_def (content_hash, format, content, schema_version, tenant_id, canonical_json, created_by)
        SELECT x.hash, x.format, x.content, x.schema_version, x.tenant, x.canonical_json, @by
          FROM unnest(@hashes::text[], @formats::text[], @contents::text[], @versions::text[], @tenants::text[], @canonical::text[])
               AS x(hash, format, content, schema_version, tenant, canonical_json)
         ORDER BY x.hash
        ON CONFLICT (content_hash) DO NOTHING
        """;

    // A statement of its own: it sees what a racing transaction committed while the insert waited for it.
    private const string Find = """
        SELECT d.content_hash, d.def_id FROM kpi_job_def d JOIN unnest(@hashes::text[], @tenants::text[]) AS x(hash, tenant) ON d.content_hash = x.hash AND d.tenant_id = x.tenant
        """;

    /// <returns>The definition's id, whoever stored it first.</returns>
    public static async Task<long> PutAsync(RequestTransaction tx, CheckedJob job) => (await PutAsync(tx, [job]))[job.Reading.ContentHash!];

    /// <returns>The definitions' ids by their hash, whoever stored them first.</returns>
    public static async Task<IReadOnlyDictionary<string, long>> PutAsync(RequestTransaction tx, IReadOnlyList<CheckedJob> jobs)
    {
        string[] hashes = [.. jobs.Select(job => job.Reading.ContentHash!)], tenants = [.. jobs.Select(job => job.Job.Tenant)];
        await tx.ExecuteAsync(Insert, new
        {
            hashes, tenants, by = tx.Caller.Principal, formats = jobs.Select(job => job.Submission.Format.Word()).ToArray(), contents = jobs.Select(job => job.Submission.Content).ToArray(),
            versions = jobs.Select(job => job.Job.SchemaVersion).ToArray(), canonical = jobs.Select(job => job.Reading.CanonicalJson).ToArray(),
        });
        var stored = (await tx.QueryAsync<DefinitionRow>(Find, new { hashes, tenants })).DistinctBy(row => row.ContentHash).ToDictionary(row => row.ContentHash, row => row.DefId);
        return stored.Count == hashes.Distinct().Count() ? stored : throw new InvalidOperationException("A definition that was stored is gone.");
    }

    private sealed record DefinitionRow
    {
        public required string ContentHash { get; init; }
        public long DefId { get; init; }
    }
}
