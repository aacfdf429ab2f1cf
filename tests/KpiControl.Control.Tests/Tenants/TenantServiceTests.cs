using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using KpiControl.Protocol.V1;
using KpiControl.Testing;

namespace KpiControl.Control.Tests.Tenants;

/// <summary>Tenants are made and placed by operators, and their policies written by their administrators.</summary>
public sealed class TenantServiceTests(ControlFixture control) : IClassFixture<ControlFixture>
{
    private TenantService.TenantServiceClient Operator => new(control.Host.Channel(control.Issuer.PersonToken("operator", "*/*/platform_operator")));

    private TenantService.TenantServiceClient Admin(string tenant = "acme") => new(control.Host.Channel(control.Issuer.PersonToken($"admin@{tenant}", $"{tenant}/*/admin")));

    [Fact]
    public async Task An_operator_makes_a_tenant_and_changes_where_it_may_run()
    {
        var made = await Operator.CreateTenantAsync(new CreateTenantRequest { Tenant = "hooli", HomeRegion = "eu", Regions = { "us" }, Reason = "signed" });
        Assert.Equal(("hooli", "eu", "eu us", 1), (made.Tenant_, made.HomeRegion, string.Join(' ', made.Regions), made.Weight));
        Assert.Equal("TENANT_EXISTS", Reason(await RefusedAsync(() => Operator.CreateTenantAsync(new CreateTenantRequest { Tenant = "hooli" }).ResponseAsync)));

        var moved = await Operator.UpdateTenantAsync(new UpdateTenantRequest { Tenant = "hooli", HomeRegion = "ap", RemoveRegions = { "eu" }, Weight = 3, Etag = made.Etag });
        Assert.Equal(("ap", "ap us", 3), (moved.HomeRegion, string.Join(' ', moved.Regions), moved.Weight));
        Assert.NotEqual(made.Etag, moved.Etag);
        var stale = await RefusedAsync(() => Operator.UpdateTenantAsync(new UpdateTenantRequest { Tenant = "hooli", Weight = 4, Etag = made.Etag }).ResponseAsync);
        Assert.Equal((StatusCode.Aborted, "ETAG_MISMATCH"), (stale.StatusCode, Reason(stale)));
        // What changes nothing is no change.
        Assert.Equal(moved, await Operator.UpdateTenantAsync(new UpdateTenantRequest { Tenant = "hooli", Weight = 3, AddRegions = { "us" } }));
        Assert.Equal(moved, await Admin("hooli").GetTenantAsync(new GetTenantRequest { Tenant = "hooli" }));
        Assert.Equal(["hooli"], (await Admin("hooli").ListTenantsAsync(new ListTenantsRequest())).Tenants.Select(t => t.Tenant_));
        var first = await Operator.ListTenantsAsync(new ListTenantsRequest { PageSize = 2 });
        var rest = await Operator.ListTenantsAsync(new ListTenantsRequest { PageSize = 2, PageToken = first.NextPageToken });
        Assert.Superset(new HashSet<string> { "acme", "globex", "hooli", "initech" }, first.Tenants.Concat(rest.Tenants).Select(t => t.Tenant_).ToHashSet());
        Assert.Equal(["FleetManage tenant/hooli", "FleetManage tenant/hooli"], await AuditAsync("hooli"));
    }

    [Fact]
    public async Task A_region_that_has_jobs_or_is_the_home_is_not_removed()
    {
        await control.Host.CreateSimpleAsync(TestContext.Current.CancellationToken, "held");
        var home = await RefusedAsync(() => Operator.UpdateTenantAsync(new UpdateTenantRequest { Tenant = "acme", RemoveRegions = { "eu" } }).ResponseAsync);
        Assert.Equal(StatusCode.InvalidArgument, home.StatusCode);
        var used = await RefusedAsync(() => Operator.UpdateTenantAsync(new UpdateTenantRequest { Tenant = "acme", HomeRegion = "us", RemoveRegions = { "eu" } }).ResponseAsync);
        Assert.Equal((StatusCode.FailedPrecondition, "REGION_IN_USE"), (used.StatusCode, Reason(used)));
        Assert.Contains("jobs of acme are bound in region eu", used.Status.Detail, StringComparison.Ordinal);
        Assert.Equal("eu", (await Operator.GetTenantAsync(new GetTenantRequest { Tenant = "acme" })).HomeRegion);
        foreach (var wrong in new UpdateTenantRequest[] { new() { AddRegions = { "EU" } }, new() { Weight = 0 }, new() { HomeRegion = "e u" } })
        {
            wrong.Tenant = "acme";
            Assert.Equal(StatusCode.InvalidArgument, (await RefusedAsync(() => Operator.UpdateTenantAsync(wrong).ResponseAsync)).StatusCode);
        }
        Assert.Equal(StatusCode.NotFound, (await RefusedAsync(() => Operator.UpdateTenantAsync(new UpdateTenantRequest { Tenant = "nobody", Weight = 2 }).ResponseAsync)).StatusCode);
    }

    [Fact]
    public async Task A_policy_is_versioned_and_asked_of_the_next_change()
    {
        var admin = Admin("globex");
        var usual = await admin.GetPolicyAsync(new GetPolicyRequest { Tenant = "globex", Environment = "dev" });
        Assert.Equal((1, false, false), (usual.Version, usual.RequiresApproval, usual.RequiresSla));
        var bare = new ValidateJobRequest { Content = SampleTexts.Simple().Replace("acme", "globex", StringComparison.Ordinal), Environment = "dev" };
        var jobs = control.Host.Jobs(control.Issuer.PersonToken("admin@globex", "globex/*/admin"));
        Assert.DoesNotContain((await jobs.ValidateJobAsync(bare)).Findings, f => f.Rule == "policy.alerts");

        var strict = await admin.PutPolicyAsync(new PutPolicyRequest { Tenant = "globex", Environment = "dev", RequiresAlerts = true, Etag = usual.Etag, Reason = "as in stg" });
        Assert.Equal((2, false, true), (strict.Version, strict.RequiresSla, strict.RequiresAlerts));
        Assert.Contains((await jobs.ValidateJobAsync(bare)).Findings, f => f.Rule == "policy.alerts");
        Assert.Equal("ETAG_MISMATCH", Reason(await RefusedAsync(() => admin.PutPolicyAsync(new PutPolicyRequest { Tenant = "globex", Environment = "dev", Etag = usual.Etag }).ResponseAsync)));
        Assert.Equal(2, (await admin.PutPolicyAsync(new PutPolicyRequest { Tenant = "globex", Environment = "dev", RequiresAlerts = true })).Version);
        Assert.Equal(3, (await admin.PutPolicyAsync(new PutPolicyRequest { Tenant = "globex", Environment = "dev", RequiresAlerts = false, ValidateOnly = true })).Version);

        Assert.Equal(usual, await admin.GetPolicyAsync(new GetPolicyRequest { Tenant = "globex", Environment = "dev", Version = 1 }));
        Assert.Equal([2, 1], (await admin.ListPoliciesAsync(new ListPoliciesRequest { Tenant = "globex", Environment = "dev" })).Policies.Select(p => p.Version));
        var page = await admin.ListPoliciesAsync(new ListPoliciesRequest { Tenant = "globex", PageSize = 1 });
        Assert.Equal(1, (await admin.ListPoliciesAsync(new ListPoliciesRequest { Tenant = "globex", PageSize = 1, PageToken = page.NextPageToken })).Policies.Single().Version);
        Assert.Equal(StatusCode.NotFound, (await RefusedAsync(() => admin.GetPolicyAsync(new GetPolicyRequest { Tenant = "globex", Environment = "dev", Version = 9 }).ResponseAsync)).StatusCode);
        Assert.Equal(["PolicyWrite policy/dev"], await AuditAsync("globex"));
    }

    [Fact]
    public async Task Of_two_who_write_a_policy_at_once_one_is_told()
    {
        var read = await Admin("initech").GetPolicyAsync(new GetPolicyRequest { Tenant = "initech", Environment = "stg" });
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(n => Record.ExceptionAsync(() =>
            Admin("initech").PutPolicyAsync(new PutPolicyRequest { Tenant = "initech", Environment = "stg", RequiresSla = false, Etag = read.Etag, Reason = $"{n}" }).ResponseAsync).AsTask()));
        Assert.Single(outcomes, outcome => outcome is null);
        Assert.All(outcomes.OfType<RpcException>(), refused => Assert.Equal(StatusCode.Aborted, refused.StatusCode));
    }

    [Fact]
    public async Task What_people_changed_stays_until_the_configuration_changes()
    {
        await using var database = await PostgresFixture.CreateDatabaseAsync(TestContext.Current.CancellationToken);
        var issuer = await TestIssuer.SharedAsync();
        var token = issuer.PersonToken("operator", "*/*/platform_operator", "acme/*/admin");
        await using (var host = await ControlHost.StartAsync(database, issuer))
        {
            var tenants = new TenantService.TenantServiceClient(host.Channel(token));
            await tenants.UpdateTenantAsync(new UpdateTenantRequest { Tenant = "acme", Weight = 7, AddRegions = { "ap" } });
            await tenants.PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = "stg", RequiresApproval = true });
        }
        await using (var host = await ControlHost.StartAsync(database, issuer))
            Assert.Equal((7, "ap eu us", true), await StateAsync(host, token));
        await using (var host = await ControlHost.StartAsync(database, issuer, ("Tenants:0:Weight", "2")))
        {
            Assert.Equal((2, "eu us", true), await StateAsync(host, token));
            var from = Timestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow());
            var freeze = new Freeze { From = from, Until = from + Duration.FromTimeSpan(TimeSpan.FromDays(1)), Reason = "year end" };
            await new TenantService.TenantServiceClient(host.Channel(token)).PutPolicyAsync(new PutPolicyRequest { Tenant = "acme", Environment = "stg", Freezes = new() { Freezes_ = { freeze } } });
        }
        // A freeze is nobody's configuration: nothing that is configured ends it.
        await using (var host = await ControlHost.StartAsync(database, issuer, ("Tenants:0:Policies:stg:RequiresApproval", "false")))
        {
            Assert.False((await StateAsync(host, token)).RequiresApproval);
            var policy = await new TenantService.TenantServiceClient(host.Channel(token)).GetPolicyAsync(new GetPolicyRequest { Tenant = "acme", Environment = "stg" });
            Assert.Equal("year end", Assert.Single(policy.Freezes).Reason);
        }
    }

    [Fact]
    public async Task Over_REST_the_paths_are_those_of_the_page_and_an_unknown_field_is_named()
    {
        using var rest = control.Host.Rest(control.Issuer.PersonToken("admin@acme", "acme/*/admin"));
        Assert.Contains("\"home_region\"", await rest.GetStringAsync(new Uri("/api/tenants/acme", UriKind.Relative), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Contains("\"requires_owners\"", await rest.GetStringAsync(new Uri("/api/tenants/acme/policies/prod", UriKind.Relative), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        using var refused = await rest.PutAsync(new Uri("/api/tenants/acme/policies/prod", UriKind.Relative),
            new StringContent("""{"requires_aproval": true}""", System.Text.Encoding.UTF8, "application/json"), TestContext.Current.CancellationToken);
        Assert.Equal(400, (int)refused.StatusCode);
        Assert.Contains("requires_aproval", await refused.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    private static async Task<(int Weight, string Regions, bool RequiresApproval)> StateAsync(ControlHost host, string token)
    {
        var tenants = new TenantService.TenantServiceClient(host.Channel(token));
        var tenant = await tenants.GetTenantAsync(new GetTenantRequest { Tenant = "acme" });
        return (tenant.Weight, string.Join(' ', tenant.Regions), (await tenants.GetPolicyAsync(new GetPolicyRequest { Tenant = "acme", Environment = "stg" })).RequiresApproval);
    }

    private async Task<IEnumerable<string>> AuditAsync(string tenant) =>
        (await new AuditService.AuditServiceClient(control.Host.Channel(control.Issuer.PersonToken("auditor", $"{tenant}/*/auditor"))).ListAuditAsync(new ListAuditRequest { Tenant = tenant }))
            .Entries.Select(e => $"{e.Verb} {e.ObjectKind}/{e.ObjectId}");

    private static async Task<RpcException> RefusedAsync(Func<Task> call) => await Assert.ThrowsAsync<RpcException>(call);

    private static string? Reason(RpcException refused) => refused.GetRpcStatus()?.GetDetail<ErrorInfo>()?.Reason;
}
