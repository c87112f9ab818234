namespace Vks.Tests.Spherelet.Verbs;

/// <summary>The Supervisor's command line.</summary>
public sealed class SupervisorCliTests
{
    [Theory]
    [InlineData("--version", 0, "supervisor 0")]
    [InlineData("--help", 0, "usage: supervisor")]
    public void It_answers_what_it_can(string argument, int exitCode, string words)
    {
        using StringWriter output = new();
        using StringWriter error = new();

        Assert.Equal(exitCode, Vks.Supervisor.Program.Run([argument], output, error));
        Assert.Contains(words, output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_verb_is_refused_with_exit_code_2()
    {
        using StringWriter output = new();
        using StringWriter error = new();

        Assert.Equal(2, Vks.Supervisor.Program.Run(["reign"], output, error));
        Assert.Contains("'reign'", error.ToString(), StringComparison.Ordinal);
        Assert.Empty(output.ToString());
    }
}
