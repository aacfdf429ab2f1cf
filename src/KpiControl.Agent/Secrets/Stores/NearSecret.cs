namespace KpiControl.Agent.Secrets.Stores;

/// <summary>What opens a store: a secret of this machine, read anew at each use and kept redacted while it is in use.</summary>
/// <param name="setting">Its reference.</param>
/// <param name="isPods">As <see cref="FileSecrets"/> has it.</param>
internal sealed class NearSecret(string setting, SecretsInHand inHand, bool isPods = false) : IDisposable
{
    private readonly SecretReference reference = StoreSettings.Near(setting) ?? throw new InvalidOperationException("The settings were not validated");
    private string held = "";
    private IDisposable? hold;

    /// <summary>Without the white space around it: an editor's line end is no part of a credential.</summary>
    public async Task<SecretLookup> ReadAsync(CancellationToken token)
    {
        ISecretResolver source = reference.Scheme == FileSecrets.SchemeName ? new FileSecrets(isPods) : new EnvironmentSecrets();
        var found = await source.ResolveAsync(reference, token);
        if (found.Value?.Trim() is not { } value)
            return found;
        if (value.Length == 0)
            return SecretLookup.Missing($"{reference} is blank: write the credential there");
        Hold(value);
        return SecretLookup.Found(value, found.Version);
    }

    public void Dispose() => hold?.Dispose();

    private void Hold(string value)
    {
        if (value == held)
            return;
        var before = hold;
        (held, hold) = (value, inHand.Hold(value));
        before?.Dispose();
    }

    public override string ToString() => reference.ToString();
}
