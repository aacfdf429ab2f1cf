using Dapper;
using KpiControl.Testing;
using Microsoft.Extensions.Options;

namespace KpiControl.Control.Tests.Tenants;

public sealed class TenantBootstrapTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_policy_gets_a_version_only_when_it_changes_however_often_and_wherever_a_node_starts()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync(Token);
        var issuer = await TestIssuer.SharedAsync();
        await using (await ControlHost.StartAsync(database, issuer))
        await using (await ControlHost.StartAsync(database, issuer))
        {
        }
        await using (await ControlHost.StartAsync(database, issuer, ("Tenants:0:Policies:stg:RequiresApproval", "true"), ("Tenants:0:Weight", "3")))
        {
        }

        await using var connection = await database.OpenAsync(Token);
        Assert.Equal(
            ["dev 1 false", "prod 1 true", "stg 1 false", "stg 2 true"],
            await connection.QueryAsync<string>("SELECT environment || ' ' || version || ' ' || (document ->> 'requires_approval') FROM kpi_tenant_policy WHERE tenant_id = 'acme' ORDER BY 1"));
        Assert.Equal(["acme/eu/3", "globex/us/1"], await connection.QueryAsync<string>(
            "SELECT concat_ws('/', tenant_id, home_region, weight) FROM kpi_tenant WHERE home_region IS NOT NULL ORDER BY 1"));
        Assert.Equal(["acme/eu", "acme/us", "globex/us", "initech/eu"], await connection.QueryAsync<string>(
            "SELECT tenant_id || '/' || region FROM kpi_tenant_region ORDER BY 1"));
    }

    [Fact]
    public async Task All_mistakes_are_named_at_once_before_anything_starts()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync(Token);
        var issuer = await TestIssuer.SharedAsync();

        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => ControlHost.StartAsync(database, issuer,
            ("Tenants:0:Id", "Acme"), ("Tenants:1:Weight", "0"), ("Tenants:2:Policies:qa:RequiresApproval", "true"), ("Tenants:2:HomeRegion", "EU")));

        var told = string.Join('\n', refused.Failures);
        Assert.Contains("Tenants:0:Id 'Acme'", told);
        Assert.Contains("Tenants:1:Weight", told);
        Assert.Contains("Tenants:2:Policies:qa", told);
        Assert.Contains("'EU' is not a region's name", told);
    }
}
