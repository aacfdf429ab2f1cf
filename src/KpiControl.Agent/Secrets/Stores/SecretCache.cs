using KpiControl.Agent.Connections;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary>
/// What the stores answered, so many secrets and so long; a failure is not remembered. Those who ask for one secret at the
/// same time share one answer.
/// </summary>
internal sealed class SecretCache : IDisposable
{
    private readonly Lock gate = new();
    private readonly Dictionary<SecretReference, Entry> entries = [];
    private readonly Dictionary<SecretReference, Task<SecretLookup>> underWay = [];
    private readonly SecretsOptions options;
    private readonly SecretsInHand inHand;
    private readonly TimeProvider time;
    private readonly ITimer? sweep;

    public SecretCache(IOptions<SecretsOptions> options, SecretsInHand inHand, TimeProvider time)
    {
        (this.options, this.inHand, this.time) = (options.Value, inHand, time);
        if (this.options.CacheFor > TimeSpan.Zero)
            sweep = time.CreateTimer(_ => Sweep(), null, this.options.CacheFor, this.options.CacheFor);
    }

    public int Count
    {
        get
        {
            lock (gate)
                return entries.Count;
        }
    }

    public async Task<SecretLookup> GetAsync(ISecretResolver store, SecretReference reference, CancellationToken token)
    {
        Task<SecretLookup>? asked;
        lock (gate)
        {
            if (entries.TryGetValue(reference, out var entry) && IsYoung(entry))
                return entry.Found;
            if (!underWay.TryGetValue(reference, out asked))
                underWay[reference] = asked = Task.Run(() => AskAsync(store, reference), CancellationToken.None);
        }
        // Who goes away does not take the answer from the others; the store's own timeout ends it.
        return await asked.WaitAsync(token);
    }

    /// <summary>Only while it is that value: another attempt may have seen the new one already.</summary>
    public void Drop(SecretReference reference, string value)
    {
        lock (gate)
            if (entries.TryGetValue(reference, out var entry) && entry.Found.Value == value)
                Remove(reference);
    }

    public void Dispose()
    {
        sweep?.Dispose();
        lock (gate)
            foreach (var reference in entries.Keys.ToList())
                Remove(reference);
    }

    private async Task<SecretLookup> AskAsync(ISecretResolver store, SecretReference reference)
    {
        var (at, found) = (time.GetTimestamp(), SecretLookup.Missing(""));
        using var limit = new CancellationTokenSource(options.Timeout, time);
        try
        {
            found = await store.ResolveAsync(reference, limit.Token);
        }
        catch (Exception error)
        {
            found = Words(reference, error, limit.IsCancellationRequested);
        }
        lock (gate)
        {
            underWay.Remove(reference);
            if (found.Value is { } value && options.CacheFor > TimeSpan.Zero)
                Keep(reference, new Entry(found, at, inHand.Hold(value)));
        }
        return found;
    }

    private void Keep(SecretReference reference, Entry entry)
    {
        Remove(reference);
        if (entries.Count >= options.CacheEntries)
            Remove(entries.MinBy(one => one.Value.At).Key);
        entries[reference] = entry;
    }

    private void Remove(SecretReference reference)
    {
        if (entries.Remove(reference, out var entry))
            entry.Hold.Dispose();
    }

    private void Sweep()
    {
        lock (gate)
            foreach (var (reference, _) in entries.Where(one => !IsYoung(one.Value)).ToList())
                Remove(reference);
    }

    private bool IsYoung(Entry entry) => time.GetElapsedTime(entry.At) < options.CacheFor;

    // An exception's own words may quote the request or the answer: its kind is told, its message never.
    private SecretLookup Words(SecretReference reference, Exception error, bool isLate) => Causes(error) switch
    {
        _ when isLate => SecretLookup.Unavailable($"{reference}: its store did not answer within {options.Timeout.TotalSeconds:0.#} s: look whether it runs and can be reached from here, or raise Agent:Secrets:Timeout"),
        var causes when causes.OfType<AddressRefusedException>().FirstOrDefault() is { } refused => SecretLookup.Missing($"{reference}: its store leads to {refused.Message}: correct the Address below Agent:Secrets"),
        var causes when causes.OfType<HttpRequestException>().FirstOrDefault() is { } http => http.HttpRequestError is HttpRequestError.SecureConnectionError
            ? SecretLookup.Missing($"{reference}: the store's certificate is not trusted, or is not for its host: set the CaFile below Agent:Secrets to its authority")
            : SecretLookup.Unavailable($"{reference}: its store cannot be reached ({http.HttpRequestError}): look whether it runs and can be reached from here"),
        _ => SecretLookup.Missing($"{reference}: its store's answer is not understood ({error.GetType().Name}): look whether the Address below Agent:Secrets is the store's"),
    };

    private static List<Exception> Causes(Exception error) =>
        error is AggregateException all ? [all, .. all.InnerExceptions.SelectMany(Causes)]
        : error.InnerException is { } inner ? [error, .. Causes(inner)] : [error];

    private sealed record Entry(SecretLookup Found, long At, IDisposable Hold);
}
