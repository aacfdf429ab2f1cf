using KpiControl.Control.Requests;
using KpiControl.Jobs.Artifacts;

namespace KpiControl.Control.Authoring;

/// <summary>Definitions, by what they mean.</summary>
internal static class DefinitionStore
{
    private const string Insert = """
        INSERT INTO kpi_job_def (content_hash, format, content, schema_version, tenant_id, canonical_json, created_by)
        VALUES (@hash, @format, @content, @schemaVersion, @tenant, @canonicalJson, @by)
        ON CONFLICT (content_hash) DO NOTHING
        """;

    // A statement of its own: it sees what a racing transaction committed while the insert waited for it.
    private const string Find = """
        SELECT def_id FROM kpi_job_def WHERE content_hash = @hash AND tenant_id = @tenant
        """;

    /// <returns>The definition's id, whoever stored it first.</returns>
    public static async Task<long> PutAsync(RequestTransaction tx, CheckedJob job)
    {
        var (hash, tenant) = (job.Reading.ContentHash, job.Job.Tenant);
        await tx.ExecuteAsync(Insert, new
        {
            hash, tenant, format = job.Submission.Format.Word(), content = job.Submission.Content, schemaVersion = job.Job.SchemaVersion,
            canonicalJson = job.Reading.CanonicalJson, by = tx.Caller.Principal,
        });
        return await tx.FindAsync<long?>(Find, new { hash, tenant }) ?? throw new InvalidOperationException("A definition that was stored is gone.");
    }
}
