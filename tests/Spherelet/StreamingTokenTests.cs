using Microsoft.Extensions.Time.Testing;
using Vks.Spherelet.Streaming;

namespace Vks.Tests.Spherelet;

/// <summary>URLs of the streaming server are good once and for a minute.</summary>
public sealed class StreamingTokenTests
{
    private static readonly PortForwardStreamRequest s_request = new() { PodId = "pod" };
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void A_token_is_good_once()
    {
        var tokens = new StreamingTokens(_time);
        string token = tokens.TryIssue(s_request)!;

        Assert.Same(s_request, tokens.Redeem(token));
        Assert.Null(tokens.Redeem(token));
    }

    [Fact]
    public void A_token_is_good_for_a_minute()
    {
        var tokens = new StreamingTokens(_time);
        string young = tokens.TryIssue(s_request)!;
        string old = tokens.TryIssue(s_request)!;

        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.NotNull(tokens.Redeem(young));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(tokens.Redeem(old));
    }

    [Fact]
    public void Tokens_are_long_safe_in_a_path_and_never_the_same()
    {
        var tokens = new StreamingTokens(_time);
        string[] issued = [.. Enumerable.Range(0, 100).Select(_ => tokens.TryIssue(s_request)!)];

        Assert.All(issued, token => Assert.Matches("^[A-Za-z0-9_-]{43}$", token));
        Assert.Distinct(issued);
    }

    [Fact]
    public void Too_many_unused_tokens_are_refused_until_they_grow_old()
    {
        var tokens = new StreamingTokens(_time);
        for (var i = 0; i < StreamingTokens.MaxOutstanding; i++)
        {
            Assert.NotNull(tokens.TryIssue(s_request));
        }

        Assert.Null(tokens.TryIssue(s_request));
        _time.Advance(StreamingTokens.Lifetime);
        Assert.NotNull(tokens.TryIssue(s_request));
    }

    [Fact]
    public void A_word_that_was_never_given_out_is_worth_nothing() => Assert.Null(new StreamingTokens(_time).Redeem("guess"));
}
