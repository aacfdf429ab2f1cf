using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Provenance;

/// <summary>Keeps which job ever took which source.</summary>
internal sealed class SourceIndexStore(Databases databases)
{
    /// <summary>Of one job: a service that answers other names each time must not fill the table.</summary>
    public const int MostOfJob = 2000;

    private const string NoteSql =
        """
        INSERT INTO kpi_lineage_source (binding_id, source_type, source_name, tenant_id)
        SELECT n.binding_id, n.type, n.name, n.tenant FROM (
          SELECT x.binding_id, x.type, x.name, x.tenant, row_number() OVER (PARTITION BY x.binding_id ORDER BY x.type, x.name) AS place
            FROM (SELECT DISTINCT * FROM unnest(@bindings::bigint[], @types::text[], @names::text[], @tenants::text[]) AS y(binding_id, type, name, tenant)) x
           WHERE NOT EXISTS (SELECT FROM kpi_lineage_source s WHERE s.binding_id = x.binding_id AND s.source_type = x.type AND s.source_name = x.name)) n
         WHERE n.place + (SELECT count(*) FROM kpi_lineage_source s WHERE s.binding_id = n.binding_id) <= @most
         ORDER BY n.binding_id, n.type, n.name
        ON CONFLICT DO NOTHING
        """;

    public async Task NoteAsync(IReadOnlyList<TakenSources> taken, CancellationToken token)
    {
        var rows = taken.SelectMany(t => t.Sources.Select(s => (t.BindingId, s.Type, s.Name, t.Tenant))).ToList();
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await connection.ExecuteAsync(new CommandDefinition(NoteSql, new
        {
            bindings = rows.Select(r => r.BindingId).ToArray(), types = rows.Select(r => r.Type).ToArray(),
            names = rows.Select(r => r.Name).ToArray(), tenants = rows.Select(r => r.Tenant).ToArray(), most = MostOfJob,
        }, cancellationToken: token));
    }
}
