namespace KpiControl.Agent.Secrets;

/// <summary>The secret values that this process holds at the moment: whatever it says passes here and repeats none of them.</summary>
internal sealed class SecretsInHand
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, int> holders = new(StringComparer.Ordinal);
    private volatile Redactor redactor = new();

    /// <summary>Keeps the value redacted until the hold is disposed.</summary>
    public IDisposable Hold(string secret)
    {
        lock (gate)
        {
            holders[secret] = holders.GetValueOrDefault(secret) + 1;
            if (holders[secret] == 1)
                redactor = Redactor.Of(holders.Keys);
        }
        return new Held(this, secret);
    }

    public string Redact(string text) => redactor.Redact(text);

    private void Release(string secret)
    {
        lock (gate)
        {
            if (--holders[secret] > 0)
                return;
            holders.Remove(secret);
            redactor = Redactor.Of(holders.Keys);
        }
    }

    private sealed class Held(SecretsInHand owner, string secret) : IDisposable
    {
        private int released;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref released, 1) == 0)
                owner.Release(secret);
        }
    }
}
