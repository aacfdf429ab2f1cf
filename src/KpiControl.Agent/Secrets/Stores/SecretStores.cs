using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary>The stores that the settings name.</summary>
internal sealed class SecretStores(
    IOptions<VaultOptions> vault, IOptions<AzureKeyVaultOptions> azure, IOptions<AwsSecretsOptions> aws, IServiceProvider services)
{
    public SecretSources Open()
    {
        var (inHand, time) = (services.GetRequiredService<SecretsInHand>(), services.GetRequiredService<TimeProvider>());
        var stores = new List<ISecretResolver>();
        if (vault.Value.Address.Length > 0)
            stores.Add(new VaultSecrets(vault.Value, inHand, time));
        if (azure.Value.Address.Length > 0)
            stores.Add(new AzureKeyVaultSecrets(azure.Value, inHand));
        if (aws.Value.Region.Length > 0)
            stores.Add(new AwsSecrets(aws.Value, inHand, time));
        return SecretSources.Of(inHand, services.GetRequiredService<SecretCache>(), stores);
    }
}
