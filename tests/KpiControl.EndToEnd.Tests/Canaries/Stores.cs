using System.Text;
using System.Text.Json;
using KpiControl.Testing;
using KpiControl.Testing.Stores;
using Npgsql;

namespace KpiControl.EndToEnd.Tests.Canaries;

/// <summary>A canary in each resolver and in what opens each store, and a connection for each way in which it is used.</summary>
internal sealed class Stores : IAsyncDisposable
{
    private readonly Dictionary<string, string> references = [];
    private readonly List<string> connections = [];
    private readonly StringBuilder file = new("connections:\n");
    private readonly List<IAsyncDisposable> servers = [];
    private readonly string directory;

    private Stores(string directory) => this.directory = directory;

    public List<Canary> Canaries { get; } = [];

    public List<(string, string)> Settings { get; } = [];

    /// <summary>How each job ends.</summary>
    public Dictionary<string, string> Expected { get; } = [];

    public IReadOnlyList<string> Connections => connections;

    public string ConnectionsFile => Path.Combine(directory, "connections.yaml");

    public static async Task<Stores> StartAsync(string directory, TestDatabase database)
    {
        var stores = new Stores(directory);
        stores.PlantOnTheMachine();
        await stores.PlantInVaultAsync();
        await stores.PlantInAwsAsync();
        await stores.PlantInAzureAsync();
        var echo = await EchoService.StartAsync();
        stores.servers.Add(echo);
        var at = new NpgsqlConnectionStringBuilder(database.Superuser);
        foreach (var (name, reference) in stores.references)
        {
            stores.Connect($"{name}-values", "http", $"{echo.Url}/values", reference, "partial ");
            stores.Connect($"{name}-error", "http", $"{echo.Url}/error", reference, "failed INTERNAL");
            stores.Connect($"{name}-login", "postgresql", $"postgresql://{at.Host}:{at.Port}/{at.Database}", reference, "failed UNAUTHENTICATED", $"\n    user: {at.Username}");
        }
        foreach (var (name, reference) in new[] { ("vault", "vault:secret/forbidden/x#value"), ("aws", "aws-secrets-manager:kpi/nothing"), ("azure", "azure-key-vault:nothing") })
            stores.Connect($"{name}-missing", "http", $"{echo.Url}/values", reference, "failed UNAUTHENTICATED");
        await File.WriteAllTextAsync(stores.ConnectionsFile, stores.file.ToString());
        return stores;
    }

    /// <returns>Its path.</returns>
    public string Write(string name, string text)
    {
        var path = Path.Combine(directory, name);
        File.WriteAllText(path, text);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in servers)
            await server.DisposeAsync();
    }

    private string Plant(string name, string around = "{0}/+\"&=")
    {
        var canary = Canary.Hatch(name, around);
        Canaries.Add(canary);
        return canary.Value;
    }

    private void Connect(string connId, string driver, string endpoint, string reference, string expected, string more = "")
    {
        connections.Add(connId);
        Expected[connId] = expected;
        file.Append(System.Globalization.CultureInfo.InvariantCulture, $"  {connId}:\n    driver: {driver}\n    endpoint: \"{endpoint}\"\n    credential: \"{reference}\"\n    report_points: 100{more}\n");
    }

    private void PlantOnTheMachine()
    {
        Settings.Add(("KPI_CANARY", Plant("env")));
        references["env"] = "env:KPI_CANARY";
        references["file"] = $"file:{Write("canary", Plant("file") + "\n")}";
    }

    private async Task PlantInVaultAsync()
    {
        var vault = await VaultServer.StartAsync();
        servers.Add(vault);
        (vault.SecretId, vault.TokenMark) = (Plant("vault's secret_id"), Plant("vault's token", "hvs.{0}"));
        vault.Write("secret/kpi/canary", "value", Plant("vault"));
        references["vault"] = "vault:secret/kpi/canary#value";
        Settings.AddRange([
            ("Agent__Secrets__Vault__Address", vault.Url), ("Agent__Secrets__Vault__Login", "approle"), ("Agent__Secrets__Vault__RoleId", vault.RoleId),
            ("Agent__Secrets__Vault__SecretId", $"file:{Write("secret-id", vault.SecretId)}"),
        ]);
    }

    private async Task PlantInAwsAsync()
    {
        var aws = await AwsSecretServer.StartAsync();
        var sts = await AwsTokenServer.StartAsync(aws);
        servers.AddRange([aws, sts]);
        // What the token service gives is a secret as well: the key and the session are both made of this one.
        (sts.WebIdentity, sts.Mark) = (Plant("aws' web identity", "{0}"), Plant("aws' session", "{0}/+=") + "-{0}");
        aws.Write("kpi/canary", JsonSerializer.Serialize(new { password = Plant("aws") }));
        references["aws"] = "aws-secrets-manager:kpi/canary#password";
        Settings.AddRange([
            ("Agent__Secrets__AwsSecretsManager__Region", aws.Region), ("Agent__Secrets__AwsSecretsManager__Address", aws.Url), ("Agent__Secrets__AwsSecretsManager__Login", "web-identity"),
            ("Agent__Secrets__AwsSecretsManager__StsAddress", sts.Url), ("AWS_ROLE_ARN", sts.RoleArn), ("AWS_WEB_IDENTITY_TOKEN_FILE", Write("aws-web-identity", sts.WebIdentity)),
        ]);
    }

    private async Task PlantInAzureAsync()
    {
        var azure = await KeyVaultServer.StartAsync();
        servers.Add(azure);
        (azure.ClientSecret, azure.TokenMark) = (Plant("azure's client secret"), Plant("azure's token", "{0}"));
        azure.Write("canary", Plant("azure"));
        references["azure"] = "azure-key-vault:canary";
        Settings.AddRange([
            ("Agent__Secrets__AzureKeyVault__Address", azure.Url), ("Agent__Secrets__AzureKeyVault__Authority", azure.Url), ("Agent__Secrets__AzureKeyVault__CaFile", Write("azure.pem", azure.Pem)),
            ("Agent__Secrets__AzureKeyVault__Login", "client-secret"), ("Agent__Secrets__AzureKeyVault__TenantId", azure.Tenant), ("Agent__Secrets__AzureKeyVault__ClientId", azure.Client),
            ("Agent__Secrets__AzureKeyVault__ClientSecret", $"file:{Write("azure-secret", azure.ClientSecret)}"),
        ]);
    }
}
