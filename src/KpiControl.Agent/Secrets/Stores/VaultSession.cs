using System.Net;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary>Vault's token for this agent, or why there is none.</summary>
internal sealed record VaultAccess(string? Token, SecretLookup? Problem);

/// <summary>
/// Keeps one Vault token: made by the login that the settings name, renewed at two thirds of its life whether or not
/// anybody asks, made anew where it cannot be renewed.
/// </summary>
internal sealed class VaultSession : IAsyncDisposable
{
    private static readonly TimeSpan ShortestWait = TimeSpan.FromSeconds(1);
    // No timer waits longer, and no token lives this long unasked.
    private static readonly TimeSpan LongestLife = TimeSpan.FromDays(30);
    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly CancellationTokenSource stop = new();
    private readonly VaultLogin login;
    private readonly VaultClient client;
    private readonly SecretsInHand inHand;
    private readonly TimeProvider time;
    private readonly ITimer renewal;
    private Held? held;
    private Task keeping = Task.CompletedTask;

    public VaultSession(VaultOptions options, VaultClient client, SecretsInHand inHand, TimeProvider time)
    {
        (this.client, this.inHand, this.time) = (client, inHand, time);
        login = new VaultLogin(options, client, inHand);
        renewal = time.CreateTimer(_ => keeping = KeepAsync(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <param name="refused">A token that Vault has just refused: another one is wanted.</param>
    public async Task<VaultAccess> AccessAsync(string reference, string? refused, CancellationToken token)
    {
        await gate.WaitAsync(token);
        try
        {
            if (held is { } before && (before.Grant.Token == refused || IsOver(before)))
                Forget();
            if (held is { } current)
                return new VaultAccess(current.Grant.Token, null);
            var made = await login.LoginAsync(reference, token);
            if (made.Grant is not { } grant)
                return new VaultAccess(null, made.Problem);
            Hold(grant);
            return new VaultAccess(grant.Token, null);
        }
        finally
        {
            gate.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await renewal.DisposeAsync();
        await keeping;
        Forget();
        login.Dispose();
        gate.Dispose();
        stop.Dispose();
    }

    private async Task KeepAsync()
    {
        try
        {
            await gate.WaitAsync(stop.Token);
        }
        catch (OperationCanceledException)
        {
            return;
        }
        try
        {
            if (held is { } current)
                await RenewAsync(current);
        }
        catch (Exception error) when (error is HttpRequestException or OperationCanceledException)
        {
            TryAgain();
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task RenewAsync(Held current)
    {
        if (!current.Grant.IsRenewable)
        {
            Forget(); // the next who asks logs in
            return;
        }
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10), time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(stop.Token, limit.Token);
        var answer = await client.PostAsync("auth/token/renew-self", current.Grant.Token, new { }, both.Token);
        if (VaultLogin.Grant(answer) is { } renewed)
            Hold(renewed);
        else if (answer.Status is HttpStatusCode.Forbidden or HttpStatusCode.BadRequest)
            Forget();
        else
            TryAgain();
    }

    // Vault is sealed, or out of reach: the token may still be good when it is back.
    private void TryAgain()
    {
        if (held is not { } current)
            return;
        var left = current.Grant.Life - time.GetElapsedTime(current.At);
        if (left <= ShortestWait)
            Forget();
        else
            Wake(left / 3 > ShortestWait ? left / 3 : ShortestWait);
    }

    private void Hold(VaultGrant grant)
    {
        var before = held;
        held = new Held(grant, time.GetTimestamp(), inHand.Hold(grant.Token));
        before?.Hold.Dispose();
        if (grant.Life > TimeSpan.Zero)
            Wake((grant.Life < LongestLife ? grant.Life : LongestLife) * 2 / 3);
    }

    private void Wake(TimeSpan after)
    {
        if (!stop.IsCancellationRequested)
            renewal.Change(after, Timeout.InfiniteTimeSpan);
    }

    private void Forget()
    {
        held?.Hold.Dispose();
        held = null;
    }

    private bool IsOver(Held one) => one.Grant.Life > TimeSpan.Zero && time.GetElapsedTime(one.At) >= one.Grant.Life;

    private sealed record Held(VaultGrant Grant, long At, IDisposable Hold);
}
