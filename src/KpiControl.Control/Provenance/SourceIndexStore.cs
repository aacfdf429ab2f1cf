using Dapper;
using KpiControl.Control.Database;

namespace KpiControl.Control.Provenance;

/// <summary>Keeps which job ever took which source.</summary>
internal sealed class SourceIndexStore(Databases databases)
{
    private const string NoteSql =
        """
        INSERT INTO kpi_lineage_source (binding_id, source_type, source_name, tenant_id)
        SELECT DISTINCT x.binding_id, x.type, x.name, x.tenant FROM unnest(@bindings::bigint[], @types::text[], @names::text[], @tenants::text[]) AS x(binding_id, type, name, tenant)
         ORDER BY x.binding_id, x.type, x.name
        ON CONFLICT DO NOTHING
        """;

    public async Task NoteAsync(IReadOnlyList<TakenSources> taken, CancellationToken token)
    {
        var rows = taken.SelectMany(t => t.Sources.Select(s => (t.BindingId, s.Type, s.Name, t.Tenant))).ToList();
        await using var connection = await databases.Scheduler.OpenConnectionAsync(token);
        await connection.ExecuteAsync(new CommandDefinition(NoteSql, new
        {
            bindings = rows.Select(r => r.BindingId).ToArray(), types = rows.Select(r => r.Type).ToArray(),
            names = rows.Select(r => r.Name).ToArray(), tenants = rows.Select(r => r.Tenant).ToArray(),
        }, cancellationToken: token));
    }
}
