namespace KpiControl.Agent.Secrets;

/// <summary>Where an attempt's secrets come from, and where they are known while it lasts.</summary>
internal sealed record SecretSources(IReadOnlyList<ISecretResolver> Resolvers, SecretsInHand InHand)
{
    public static SecretSources Of(SecretsInHand inHand) => new([new EnvironmentSecrets(), new FileSecrets()], inHand);
}
