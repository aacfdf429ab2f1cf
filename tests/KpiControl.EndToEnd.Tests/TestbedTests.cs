using System.Net.Http.Json;
using System.Text.Json;
using KpiControl.Testing;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Npgsql;

namespace KpiControl.EndToEnd.Tests;

/// <summary>What every other test stands on.</summary>
public sealed class TestbedTests
{
    [Fact]
    public async Task Each_database_is_its_own_and_its_roles_can_log_in()
    {
        var token = TestContext.Current.CancellationToken;
        await using var one = await PostgresFixture.CreateDatabaseAsync(token);
        await using var two = await PostgresFixture.CreateDatabaseAsync(token);
        Assert.NotEqual(one.Name, two.Name);

        foreach (var login in new[] { one.Owner, one.Requests, one.Scheduler, one.Reader })
        {
            await using var source = NpgsqlDataSource.Create(login);
            await using var command = source.CreateCommand("SELECT current_database()::text");
            Assert.Equal(one.Name, await command.ExecuteScalarAsync(token));
        }
    }

    [Fact]
    public async Task The_issuer_signs_what_its_keys_verify_and_a_forger_does_not()
    {
        var token = TestContext.Current.CancellationToken;
        await using var issuer = await TestIssuer.StartAsync(token);
        using var http = new HttpClient();
        var discovery = await http.GetFromJsonAsync<JsonElement>($"{issuer.Url}/.well-known/openid-configuration", token);
        var keys = await http.GetStringAsync(discovery.GetProperty("jwks_uri").GetString(), token);
        var expected = new TokenValidationParameters
        {
            ValidIssuer = issuer.Url,
            ValidAudience = issuer.Audience,
            ValidTypes = ["at+jwt"],
            IssuerSigningKeys = JsonWebKeySet.Create(keys).Keys,
        };

        var good = await new JsonWebTokenHandler().ValidateTokenAsync(issuer.Token("author"), expected);
        Assert.True(good.IsValid, good.Exception?.Message);
        Assert.Equal("acme/*/author", good.Claims["kpi_roles"] is IList<object> list ? list.Single() : good.Claims["kpi_roles"]);
        Assert.False((await new JsonWebTokenHandler().ValidateTokenAsync(issuer.ForgedToken("author"), expected)).IsValid);
    }
}
