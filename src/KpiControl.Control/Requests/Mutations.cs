using Google.Protobuf;
using KpiControl.Control.Database;
using KpiControl.Control.Hosting;
using KpiControl.Control.Security;

namespace KpiControl.Control.Requests;

/// <summary>
/// Runs a mutation in one transaction, with the conventions that all of them share: the same request_id and body answer
/// the same for 24 hours and happen once however they race; validate_only is the real thing, rolled back.
/// </summary>
internal sealed class Mutations(Databases databases)
{
    public async Task<TResponse> RunAsync<TResponse>(
        IMessage request, Caller caller, Func<RequestTransaction, Task<TResponse>> change, CancellationToken token)
        where TResponse : class, IMessage<TResponse>, new()
    {
        var envelope = Envelope.Of(request);
        await using var tx = await RequestTransaction.BeginAsync(databases, caller, token, envelope.RequestId);
        if (envelope.RequestId is { } id && !await RequestStore.ClaimAsync(tx, id, envelope.Method, envelope.Digest))
        {
            var replayed = Replay<TResponse>(await RequestStore.EarlierAsync(tx, id), envelope, caller);
            await tx.SettleAsync();
            return replayed;
        }

        var response = await change(tx);
        if (envelope.ValidateOnly)
            return response;
        if (envelope.RequestId is { } claimed)
            await RequestStore.KeepAsync(tx, claimed, response.ToByteArray());
        await tx.CommitAsync();
        return response;
    }

    private static TResponse Replay<TResponse>(EarlierRequest earlier, Envelope envelope, Caller caller) where TResponse : IMessage<TResponse>, new()
    {
        if (earlier.Method != envelope.Method || !earlier.BodyDigest.AsSpan().SequenceEqual(envelope.Digest))
            throw Reject.Precondition("REQUEST_ID_REUSED", "request_id", "This request_id was used with another body within 24 hours; send a new one.");
        // Roles may have gone since: an answer of yesterday is no way around that.
        foreach (var (verb, tenant, environment) in RequestStore.DemandedOf(earlier))
            caller.Demand(verb, tenant, environment, "What this request was about");
        var response = new TResponse();
        response.MergeFrom(earlier.Response);
        return response;
    }
}
