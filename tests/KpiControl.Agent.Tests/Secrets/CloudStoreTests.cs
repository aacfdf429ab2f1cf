using KpiControl.Agent.Secrets.Stores;
using KpiControl.Testing.Stores;
using Microsoft.Extensions.Time.Testing;

namespace KpiControl.Agent.Tests.Secrets;

/// <summary>Against servers that speak the documented interfaces of AWS and Azure; neither cloud was asked.</summary>
public sealed class CloudStoreTests : IDisposable
{
    private readonly StoreFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory, InlineData(null), InlineData("canary-session+/=token")]
    public async Task Secrets_Manager_accepts_the_signature_and_gives_a_text_or_a_field(string? session)
    {
        await using var aws = await AwsSecretServer.StartAsync();
        aws.SessionToken = session;
        aws.Write("kpi/plain", "canary plain");
        aws.Write("kpi/json", """{"password":"canary \"json\""}""");
        await using var secrets = folder.Sources(Aws(aws));
        var plain = await secrets.ResolveAsync(StoreFolder.Reference("aws-secrets-manager:kpi/plain"), default);
        Assert.Equal(("canary plain", AwsSecretServer.Version("canary plain")), (plain.Value, plain.Version));
        Assert.Equal("canary \"json\"", (await secrets.ResolveAsync(StoreFolder.Reference("aws-secrets-manager:kpi/json#password"), default)).Value);
        var missing = await secrets.ResolveAsync(StoreFolder.Reference("aws-secrets-manager:kpi/plain#password"), default);
        Assert.Contains("no JSON object", missing.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("aws-secrets-manager:kpi/nothing", 0, "", false, "does not exist")]
    [InlineData("aws-secrets-manager:kpi/plain", 400, "AccessDeniedException", false, "secretsmanager:GetSecretValue")]
    [InlineData("aws-secrets-manager:kpi/plain", 400, "DecryptionFailure", false, "KMS key")]
    [InlineData("aws-secrets-manager:kpi/plain", 400, "InvalidRequestException", false, "deletion")]
    [InlineData("aws-secrets-manager:kpi/plain", 400, "ExpiredTokenException", false, "expired")]
    [InlineData("aws-secrets-manager:kpi/plain", 400, "ThrottlingException", true, "no more requests")]
    [InlineData("aws-secrets-manager:kpi/plain", 500, "InternalServiceError", true, "(500)")]
    public async Task What_Secrets_Manager_refuses_is_told_by_reference(string text, int status, string kind, bool mayPass, string said)
    {
        await using var aws = await AwsSecretServer.StartAsync();
        aws.Write("kpi/plain", "canary plain");
        aws.Fails = status == 0 ? null : (status, kind);
        await using var secrets = folder.Sources(Aws(aws));
        var missing = await secrets.ResolveAsync(StoreFolder.Reference(text), default);
        Assert.StartsWith(text, missing.Problem);
        Assert.Contains(said, missing.Problem, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", missing.Problem, StringComparison.Ordinal);
        Assert.Equal((null, mayPass), (missing.Value, missing.MayPass));
    }

    [Fact]
    public async Task A_rotated_access_key_counts_at_once()
    {
        await using var aws = await AwsSecretServer.StartAsync();
        aws.Write("kpi/plain", "canary plain");
        await using var secrets = folder.Sources(Aws(aws), set: options => options.CacheFor = TimeSpan.Zero);
        aws.Key = "canary-next-key";
        var refused = await secrets.ResolveAsync(StoreFolder.Reference("aws-secrets-manager:kpi/plain"), default);
        Assert.Contains("does not accept the access key", refused.Problem, StringComparison.Ordinal);
        folder.Write("aws-key", aws.Key);
        Assert.NotNull((await secrets.ResolveAsync(StoreFolder.Reference("aws-secrets-manager:kpi/plain"), default)).Value);
    }

    [Fact]
    public async Task A_web_identity_is_exchanged_for_credentials_that_are_kept_until_two_thirds_of_them_are_over()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var aws = await AwsSecretServer.StartAsync();
        await using var sts = await AwsTokenServer.StartAsync(aws);
        sts.Ends = () => time.GetUtcNow().AddHours(1);
        aws.Write("kpi/plain", "canary plain");
        await using var secrets = folder.Sources(Aws(aws, sts, time), set: options => options.CacheFor = TimeSpan.Zero);
        Assert.Equal("canary plain", await ReadAsync());
        time.Advance(TimeSpan.FromMinutes(39));
        Assert.Equal("canary plain", await ReadAsync());
        Assert.Equal(1, sts.Sessions);

        // The cluster has written another token by then.
        sts.WebIdentity = "canary-fresh-identity";
        folder.Write("web-identity", sts.WebIdentity);
        time.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal("canary plain", await ReadAsync());
        Assert.Equal(2, sts.Sessions);

        // While nothing new can be had, those of before are good until they end; then it is said.
        sts.Fails = (503, "ServiceUnavailable");
        time.Advance(TimeSpan.FromMinutes(50));
        Assert.Equal("canary plain", await ReadAsync());
        time.Advance(TimeSpan.FromMinutes(11));
        Assert.Contains("the Security Token Service failed (503)", await ReadAsync(), StringComparison.Ordinal);
        sts.Fails = null;
        Assert.Equal("canary plain", await ReadAsync());

        async Task<string> ReadAsync() => await secrets.ResolveAsync(StoreFolder.Reference("aws-secrets-manager:kpi/plain"), default) is var found && found.Value is { } value ? value : found.Problem!;
    }

    [Fact]
    public async Task Sessions_of_a_role_that_were_revoked_are_replaced_within_the_same_use()
    {
        await using var aws = await AwsSecretServer.StartAsync();
        await using var sts = await AwsTokenServer.StartAsync(aws);
        aws.Write("kpi/plain", "canary plain");
        await using var secrets = folder.Sources(Aws(aws, sts), set: options => options.CacheFor = TimeSpan.Zero);
        Assert.NotNull((await secrets.ResolveAsync(StoreFolder.Reference("aws-secrets-manager:kpi/plain"), default)).Value);
        aws.SessionToken = "canary-revoked";
        Assert.NotNull((await secrets.ResolveAsync(StoreFolder.Reference("aws-secrets-manager:kpi/plain"), default)).Value);
        Assert.Equal(2, sts.Sessions);
    }

    [Theory]
    [InlineData(0, "", false, "(InvalidIdentityToken)")]
    [InlineData(400, "ExpiredTokenException", false, "whether the cluster keeps it fresh")]
    [InlineData(403, "AccessDenied", false, "trust the service account")]
    [InlineData(400, "IDPCommunicationError", true, "try later")]
    [InlineData(500, "InternalFailure", true, "(500)")]
    public async Task What_the_token_service_refuses_is_told_by_reference(int status, string code, bool mayPass, string said)
    {
        await using var aws = await AwsSecretServer.StartAsync();
        await using var sts = await AwsTokenServer.StartAsync(aws);
        await using var secrets = folder.Sources(Aws(aws, sts));
        if (status == 0)
            sts.WebIdentity = "canary-other";
        else
            sts.Fails = (status, code);
        var missing = await secrets.ResolveAsync(StoreFolder.Reference("aws-secrets-manager:kpi/plain"), default);
        Assert.StartsWith("aws-secrets-manager:kpi/plain", missing.Problem);
        Assert.Contains(said, missing.Problem, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", missing.Problem, StringComparison.Ordinal);
        Assert.Equal((null, mayPass), (missing.Value, missing.MayPass));
    }

    [Fact]
    public async Task An_answer_that_is_none_of_the_token_service_and_a_token_that_is_missing_are_told()
    {
        await using var aws = await AwsSecretServer.StartAsync();
        await using var sts = await AwsTokenServer.StartAsync(aws);
        await using var elsewhere = folder.Sources(Aws(aws, sts, set: options => options.StsAddress = aws.Url));
        Assert.Contains("the Security Token Service refuses the request", (await elsewhere.ResolveAsync(StoreFolder.Reference("aws-secrets-manager:kpi/plain"), default)).Problem, StringComparison.Ordinal);
        await using var without = folder.Sources(Aws(aws, sts, set: options => options.TokenFile = "/nowhere/token"));
        Assert.Contains("no web identity for AWS: file:/nowhere/token does not exist", (await without.ResolveAsync(StoreFolder.Reference("aws-secrets-manager:kpi/plain"), default)).Problem, StringComparison.Ordinal);
    }

    [Theory, InlineData("client-secret"), InlineData("workload-identity")]
    public async Task Key_Vault_is_opened_by_its_challenge(string login)
    {
        await using var azure = await KeyVaultServer.StartAsync();
        azure.Write("warehouse", "canary azure");
        await using var secrets = folder.Sources(Azure(azure, login));
        var found = await secrets.ResolveAsync(StoreFolder.Reference("azure-key-vault:warehouse"), default);
        Assert.True(found.Value == "canary azure", found.Problem);
        Assert.Equal((azure.Version("warehouse"), 1), (found.Version, azure.Challenges));
        Assert.NotNull((await secrets.ResolveAsync(StoreFolder.Reference($"azure-key-vault:warehouse/{azure.Version("warehouse")}"), default)).Value);
        Assert.Equal(1, azure.Challenges);
    }

    [Theory]
    [InlineData("azure-key-vault:nothing", null, false, "does not exist")]
    [InlineData("azure-key-vault:warehouse", 403, false, "Key Vault Secrets User")]
    [InlineData("azure-key-vault:warehouse", 429, true, "no more requests")]
    [InlineData("azure-key-vault:warehouse", 503, true, "(503)")]
    public async Task What_Key_Vault_refuses_is_told_by_reference(string text, int? fails, bool mayPass, string said)
    {
        await using var azure = await KeyVaultServer.StartAsync();
        (azure.TokenMark, azure.Fails) = ("canary-access", fails);
        azure.Write("warehouse", "canary azure");
        await using var secrets = folder.Sources(Azure(azure, "client-secret"));
        var missing = await secrets.ResolveAsync(StoreFolder.Reference(text), default);
        Assert.StartsWith(text, missing.Problem);
        Assert.Contains(said, missing.Problem, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", missing.Problem, StringComparison.Ordinal);
        Assert.Equal((null, mayPass), (missing.Value, missing.MayPass));
    }

    [Fact]
    public async Task A_refused_client_secret_is_named_and_its_successor_counts_at_once()
    {
        await using var azure = await KeyVaultServer.StartAsync();
        azure.Write("warehouse", "canary azure");
        await using var secrets = folder.Sources(Azure(azure, "client-secret"));
        azure.ClientSecret = "canary-next";
        var refused = await secrets.ResolveAsync(StoreFolder.Reference("azure-key-vault:warehouse"), default);
        Assert.Contains("renew file:", refused.Problem, StringComparison.Ordinal);
        folder.Write("azure-secret", azure.ClientSecret);
        var found = await secrets.ResolveAsync(StoreFolder.Reference("azure-key-vault:warehouse"), default);
        Assert.True(found.Value == "canary azure", found.Problem);
    }

    [Fact]
    public async Task A_certificate_that_nobody_vouches_for_and_an_address_of_no_setting_are_not_called()
    {
        await using var azure = await KeyVaultServer.StartAsync();
        azure.Write("warehouse", "canary azure");
        await using var untrusted = folder.Sources(Azure(azure, "client-secret", options => options.CaFile = ""));
        Assert.Contains("certificate is not trusted", (await untrusted.ResolveAsync(StoreFolder.Reference("azure-key-vault:warehouse"), default)).Problem, StringComparison.Ordinal);
        using var client = StoreClient.Make("", new Uri("https://vault.example:8200"));
        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync(new Uri("https://vault.example/v1")));
        Assert.Contains("not in the settings", refused.InnerException!.Message, StringComparison.Ordinal);
    }

    private AwsSecrets Aws(AwsSecretServer aws) => new(new AwsSecretsOptions
    {
        Region = aws.Region, Address = aws.Url, AccessKeyId = "file:" + folder.Write("aws-id", aws.KeyId), SecretAccessKey = "file:" + folder.Write("aws-key", aws.Key),
        SessionToken = aws.SessionToken is { } session ? "file:" + folder.Write("aws-session", session) : "",
    }, folder.InHand, TimeProvider.System);

    private AwsSecrets Aws(AwsSecretServer aws, AwsTokenServer sts, TimeProvider? time = null, Action<AwsSecretsOptions>? set = null)
    {
        var options = new AwsSecretsOptions { Region = aws.Region, Address = aws.Url, Login = "web-identity", StsAddress = sts.Url, RoleArn = sts.RoleArn, TokenFile = folder.Write("web-identity", sts.WebIdentity) };
        set?.Invoke(options);
        return new AwsSecrets(options, folder.InHand, time ?? TimeProvider.System);
    }

    private AzureKeyVaultSecrets Azure(KeyVaultServer azure, string login, Action<AzureKeyVaultOptions>? set = null)
    {
        var options = new AzureKeyVaultOptions
        {
            Address = azure.Url, Authority = azure.Url, CaFile = folder.Write("ca.pem", azure.Pem), Login = login, TenantId = azure.Tenant, ClientId = azure.Client,
            ClientSecret = "file:" + folder.Write("azure-secret", azure.ClientSecret), TokenFile = folder.Write("assertion", azure.Assertion),
        };
        set?.Invoke(options);
        return new AzureKeyVaultSecrets(options, folder.InHand);
    }
}
