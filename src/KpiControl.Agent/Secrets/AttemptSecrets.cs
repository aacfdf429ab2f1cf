using Google.Protobuf;
using KpiControl.Protocol.V1;

namespace KpiControl.Agent.Secrets;

/// <summary>The secrets of one attempt: resolved when needed, remembered by reference, redacted from what it and the process say.</summary>
internal sealed class AttemptSecrets(SecretSources sources) : IDisposable
{
    private readonly Redactor redactor = new();
    private readonly List<SecretUse> uses = [];
    private readonly List<IDisposable> holds = [];

    /// <summary>By reference and version, for the run's record.</summary>
    public IReadOnlyList<SecretUse> Uses => uses;

    public async Task<SecretLookup> ResolveAsync(SecretReference reference, CancellationToken token)
    {
        var found = await sources.ResolveAsync(reference, token);
        if (found.Value is null)
            return found;
        redactor.Add(found.Value);
        holds.Add(sources.InHand.Hold(found.Value));
        uses.Add(new SecretUse { Reference = reference.ToString(), Version = found.Version });
        return found;
    }

    /// <summary>The endpoint refused this value: what stands there now, or null where that is no other one.</summary>
    /// <remarks>The same value is not tried again: failed logins lock accounts.</remarks>
    public async Task<string?> RenewAsync(SecretReference reference, string refused, CancellationToken token)
    {
        sources.Drop(reference, refused);
        return (await ResolveAsync(reference, token)).Value is { } value && value != refused ? value : null;
    }

    public string Redact(string text) => redactor.Redact(text);

    /// <summary>The message itself, every text in it redacted.</summary>
    public T Redact<T>(T message) where T : IMessage
    {
        if (uses.Count > 0)
            MessageText.Replace(message, redactor.Redact);
        return message;
    }

    public void Dispose() => holds.ForEach(hold => hold.Dispose());
}
